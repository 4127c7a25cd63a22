"""A generative transformer that is called once for each token, with a cache of keys and values."""
