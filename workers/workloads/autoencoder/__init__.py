"""An autoencoder."""
