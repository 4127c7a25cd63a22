"""The language that the orchestrator and its workers speak: data without behaviour."""
