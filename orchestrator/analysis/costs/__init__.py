"""Costs: phases, memory, new shapes, saved models, the roofline, and cost against calls."""
