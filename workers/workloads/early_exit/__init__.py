"""A recurrent block that is repeated until its halting scores add up to 1."""
