"""A decoder that generates one token at a time; its cache of keys and values grows with each token."""
