"""The state of a running sweep, and the dashboard that shows it."""
