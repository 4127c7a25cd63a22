"""The history of cells over many runs: terminal, sentences, JSON."""
