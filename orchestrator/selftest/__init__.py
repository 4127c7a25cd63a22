"""The self-test: this program measures cells whose truth is known."""
