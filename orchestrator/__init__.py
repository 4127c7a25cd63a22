"""Plans, launches, watches, stores and concludes. It imports no framework, and nothing of the measured side."""
