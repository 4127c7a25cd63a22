"""A language model of a recurrent network."""
