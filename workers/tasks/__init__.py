"""The tasks that a job may ask for: measure, export, profile, reference."""
