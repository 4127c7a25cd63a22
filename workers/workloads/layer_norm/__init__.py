"""Layer normalisation along rows."""
