"""One layer of self-attention."""
