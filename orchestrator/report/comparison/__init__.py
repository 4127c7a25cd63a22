"""A comparison of two runs: terminal, sentences, Markdown, JSON."""
