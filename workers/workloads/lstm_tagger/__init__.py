"""A bidirectional LSTM that tags the tokens of sequences of varying length."""
