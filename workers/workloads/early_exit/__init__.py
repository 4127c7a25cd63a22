"""A recurrent block that is repeated until its own scores say that it is enough."""
