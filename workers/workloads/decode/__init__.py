"""A decoder that picks token after token, its cache of keys and values growing with each."""
