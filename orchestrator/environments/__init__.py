"""Python environments, one for each framework: defined, resolved, installed, looked up, removed."""
