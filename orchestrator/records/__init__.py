"""The records on disk: where they are, what they mean, and whether a run may be resumed."""
