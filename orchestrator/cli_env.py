"""The command line's part for environments: `env list`, `env create` and so on."""

from pathlib import Path
from typing import Annotated

import typer

AS_JSON = Annotated[bool, typer.Option("--json", help="one JSON document on standard output, the rest elsewhere")]
NAMES = Annotated[list[str], typer.Argument(help="such as torch, tensorflow@2.20, or a name that a file defines")]
DEFINING = Annotated[Path | None, typer.Option("--file", help="a sweep file that defines environments")]

env = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List, make, show, lock, remove and examine environments."
)


@env.command("list", epilog="Example: python -m orchestrator env list")
def env_list(file: DEFINING = None, as_json: AS_JSON = False) -> None:
    """List the environments that are defined, with those that are there and the disk space that they take."""
    from orchestrator import env as commands

    commands.list_(file, as_json=as_json)


@env.command("create", epilog="Example: python -m orchestrator env create torch tensorflow@2.20")
def env_create(names: NAMES, file: DEFINING = None, as_json: AS_JSON = False) -> None:
    """Make environments now, and not on first use."""
    from orchestrator import env as commands

    raise typer.Exit(commands.create(names, file, as_json=as_json))


@env.command("show", epilog="Example: python -m orchestrator env show torch")
def env_show(
    name: Annotated[str, typer.Argument(help="a name, current, or an interpreter's path")],
    file: DEFINING = None,
    as_json: AS_JSON = False,
) -> None:
    """Show what an environment is, where it is, and every package in it."""
    from orchestrator import env as commands

    commands.show(name, file, as_json=as_json)


@env.command("lock", epilog="Example: python -m orchestrator env lock torch --output torch.lock")
def env_lock(
    name: Annotated[str, typer.Argument(help="such as torch or tensorflow@2.20")],
    output: Annotated[Path | None, typer.Option(help="a file to write; otherwise standard output")] = None,
    file: DEFINING = None,
) -> None:
    """Write down what an environment's requirements come to: exact versions with hashes."""
    from orchestrator import env as commands

    raise typer.Exit(commands.lock(name, file, output))


@env.command("prune", epilog="Example: python -m orchestrator env prune tensorflow@2.20")
def env_prune(
    names: Annotated[list[str] | None, typer.Argument(help="remove these; otherwise what no name means now")] = None,
    everything: Annotated[bool, typer.Option("--all", help="remove every environment")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Remove environments that are not whole or not what their name means now; those in use stay."""
    from orchestrator import env as commands

    commands.prune(names or [], everything=everything, as_json=as_json)


@env.command("doctor", epilog="Exit code: 0 if environments can be made here; 1 if not.")
def env_doctor(as_json: AS_JSON = False) -> None:
    """Say whether environments can be made here, and whether those that were made are still what they were."""
    from orchestrator import env as commands

    raise typer.Exit(commands.doctor(as_json=as_json))
