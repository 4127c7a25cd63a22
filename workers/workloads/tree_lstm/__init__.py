"""A Tree-LSTM over binary trees of different shapes."""
