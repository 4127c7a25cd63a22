"""One job for a person: its story, and what running it again changed."""
