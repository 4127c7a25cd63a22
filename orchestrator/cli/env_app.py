"""Command line of environments: `env list`, `env create` and the other `env` commands."""

from pathlib import Path
from typing import Annotated

import typer

AS_JSON = Annotated[bool, typer.Option("--json", help="print one JSON document; messages go to standard error")]
NAMES = Annotated[list[str], typer.Argument(help="such as torch, tensorflow@2.20, or a name that a sweep file defines")]
SWEEP_FILE = Annotated[Path | None, typer.Option("--file", help="a sweep file that defines environments")]

env = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List, create, show, lock, remove and check environments."
)


@env.command("list", epilog="Example: python -m orchestrator env list")
def env_list(file: SWEEP_FILE = None, as_json: AS_JSON = False) -> None:
    """List the defined environments, which of them exist, and the disk space that they take."""
    from orchestrator.cli.commands import env as commands

    commands.list_environments(file, as_json=as_json)


@env.command("create", epilog="Example: python -m orchestrator env create torch tensorflow@2.20")
def env_create(names: NAMES, file: SWEEP_FILE = None, as_json: AS_JSON = False) -> None:
    """Create environments now instead of on first use."""
    from orchestrator.cli.commands import env as commands

    raise typer.Exit(commands.create_environments(names, file, as_json=as_json))


@env.command("show", epilog="Example: python -m orchestrator env show torch")
def env_show(
    name: Annotated[str, typer.Argument(help="a name, current, or an interpreter's path")],
    file: SWEEP_FILE = None,
    as_json: AS_JSON = False,
) -> None:
    """Show an environment: its definition, its location, and every package in it."""
    from orchestrator.cli.commands import env as commands

    commands.show_environment(name, file, as_json=as_json)


@env.command("lock", epilog="Example: python -m orchestrator env lock torch --output torch.lock")
def env_lock(
    name: Annotated[str, typer.Argument(help="such as torch or tensorflow@2.20")],
    output: Annotated[Path | None, typer.Option(help="the file to write (default: standard output)")] = None,
    file: SWEEP_FILE = None,
) -> None:
    """Write the exact versions, with hashes, that an environment's requirements resolve to."""
    from orchestrator.cli.commands import env as commands

    raise typer.Exit(commands.lock_environment(name, file, output))


@env.command("prune", epilog="Example: python -m orchestrator env prune tensorflow@2.20")
def env_prune(
    names: Annotated[
        list[str] | None, typer.Argument(help="those to remove (default: incomplete and outdated ones)")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="remove every environment")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Remove environments that are incomplete or outdated; those in use stay."""
    from orchestrator.cli.commands import env as commands

    commands.prune_environments(names or [], everything=everything, as_json=as_json)


@env.command("doctor", epilog="Exit code: 0 if environments can be created here; 1 if not.")
def env_doctor(as_json: AS_JSON = False) -> None:
    """Check whether environments can be created here, and whether existing ones are unchanged."""
    from orchestrator.cli.commands import env as commands

    raise typer.Exit(commands.check_environments(as_json=as_json))
