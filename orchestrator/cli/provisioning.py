"""Environments are made on behalf of a command, with progress on the terminal."""

from collections.abc import Sequence

from rich.console import Console

from orchestrator.cli.output import print_line
from orchestrator.environments.environment import Environment
from orchestrator.environments.lookup import Environments
from orchestrator.environments.provisioner import Interrupted, Provisioner, make_provisioner
from orchestrator.processes import descendants
from orchestrator.processes.signals import Interrupts
from orchestrator.report.environments import format_progress


def create_missing(
    environments: Environments, missing: Sequence[Environment], console: Console, failures: dict[str, str] | None = None
) -> bool:
    """Create missing environments, with a line for each step; return False if a signal came first.

    Those that cannot be created are named in `failures`, each with the reason.

    Raises:
        UsageError: one cannot be created, and there is no such dictionary.
    """
    if not missing:
        return True
    try:
        with Interrupts() as interrupts, descendants.guard_descendants():
            provisioner = make_console_provisioner(environments, interrupts, console)
            environments.remember(provisioner.make_environments(missing, failures))
    except Interrupted:
        print_line(console, "Interrupted: environments created before are kept, and nothing else was begun.")
        return False
    return True


def make_console_provisioner(environments: Environments, interrupts: Interrupts, console: Console) -> Provisioner:
    """Return a provisioner that reports each step on the console."""
    return make_provisioner(environments.cache, interrupts, lambda event: print_line(console, format_progress(event)))
