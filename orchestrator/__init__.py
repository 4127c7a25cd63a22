"""Orchestrator: plans, launches, watches, stores and analyses. It imports no framework, and nothing from `workers`."""
