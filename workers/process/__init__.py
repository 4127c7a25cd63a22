"""The process of a job: its channel to the parent, its settings, its sandbox, and its end."""
