"""The command line: arguments, commands, and the only exit."""

from orchestrator.cli.app import main

__all__ = ["main"]
