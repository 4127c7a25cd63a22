"""The data models that the orchestrator and its workers exchange, without behaviour."""
