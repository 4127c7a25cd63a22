"""A Tree-LSTM over binary trees, each of a shape of its own."""
