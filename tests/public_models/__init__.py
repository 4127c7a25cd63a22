"""Models of public libraries, as their users have them: each in a file of a few lines."""
