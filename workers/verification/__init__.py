"""Verification against float64."""
