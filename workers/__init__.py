"""The measured side: one process that runs one job. All it knows of its parent is the wire format in schemas."""
