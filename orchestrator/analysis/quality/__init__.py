"""The quality of a measurement: disturbances, steady state, comparability."""
