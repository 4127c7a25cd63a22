"""One step of a recurrent network."""
