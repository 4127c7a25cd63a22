"""The measured side: one process, one job. It knows nothing of its parent but the wire format in schemas."""
