"""A decoder that is called once for each token that it generates; its cache of keys and values grows."""
