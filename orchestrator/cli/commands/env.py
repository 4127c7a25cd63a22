"""`env`: environments listed, created, shown, locked, removed and checked."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_json, print_line, write_file
from orchestrator.cli.provisioning import create_missing, make_console_provisioner
from orchestrator.environments import maintenance
from orchestrator.environments.environment import Environment
from orchestrator.environments.lookup import Environments, to_absolute_interpreter
from orchestrator.environments.provisioner import Interrupted
from orchestrator.errors import UsageError
from orchestrator.machine.findings import Fitness, rate_fitness
from orchestrator.planning.sweep_file import load_sweep_file, validate_sweep
from orchestrator.processes import descendants
from orchestrator.processes.signals import Interrupts
from orchestrator.report import environment_inventory, machine
from orchestrator.report.environments import environment_to_dict


def load_environments(file: Path | None) -> Environments:
    """Load the environments that names mean, with those that a sweep file defines."""
    return Environments(validate_sweep(load_sweep_file(file)).environments if file is not None else {})


def list_environments(file: Path | None, *, as_json: bool) -> None:
    """Show which environments are defined, and which of them exist."""
    environments = load_environments(file)
    said = environment_inventory.build_inventory(environments, [*environments.own, *maintenance.list_names()])
    if as_json:
        print_json(said)
    else:
        environment_inventory.show_inventory(Console(), said)


def create_environments(names: Sequence[str], file: Path | None, *, as_json: bool) -> ExitCode:
    """Create environments now."""
    environments, console = load_environments(file), Console(stderr=as_json)
    if not create_missing(environments, [inspect_internal(environments, name) for name in names], console):
        return ExitCode.INTERRUPTED
    if as_json:
        print_json([environment_to_dict(environments.find(name)) for name in names])
    else:
        for name in names:
            print_line(console, f"{name}: {environments.find(name).python}")
    return ExitCode.FINE


def show_environment(name: str, file: Path | None, *, as_json: bool) -> None:
    """Show everything known about an environment."""
    environments = load_environments(file)
    found = environments.inspect(to_absolute_interpreter(name))
    if as_json:
        print_json(environment_inventory.build_environment_details(found))
    else:
        environment_inventory.show_environment_details(
            Console(), environment_inventory.build_environment_details(found)
        )


def lock_environment(name: str, file: Path | None, output: Path | None) -> ExitCode:
    """Write the exact versions, with hashes, that an environment's requirements resolve to."""
    environments, console = load_environments(file), Console(stderr=True)
    found = inspect_internal(environments, name)
    try:
        with Interrupts() as interrupts, descendants.guard_descendants():
            found = make_console_provisioner(environments, interrupts, console).resolve_requirements(found)
    except Interrupted:
        return ExitCode.INTERRUPTED
    text = environment_inventory.format_lock(found)
    if output is None:
        print(text, end="")
    else:
        write_file(output, text.encode())
        print_line(console, f"{output}: {len(found.pinned)} packages")
    return ExitCode.FINE


def prune_environments(names: Sequence[str], *, everything: bool, as_json: bool) -> None:
    """Remove environments: the named ones, all, or the incomplete and outdated ones.

    Raises:
        UsageError: names and `everything` are both given; nothing is removed.
    """
    if names and everything:
        raise UsageError(f"prune removes {', '.join(names)} or, with --all, everything; leave one of the two out")
    environments = Environments()
    folders = maintenance.select_folders(environments, names) if names else maintenance.find_superseded(environments)
    if everything:
        folders = environments.cache.list_folders()
    removed = list(maintenance.remove_environments(list(folders)))
    if everything:
        environments.cache.remove_resolutions()  # resolved requirements, too
    if as_json:
        print_json(environment_inventory.removals_to_list(removed))
    else:
        for line in environment_inventory.describe_removals(removed):
            print_line(Console(), line)


def check_environments(*, as_json: bool) -> ExitCode:
    """Check whether environments can be created here, and whether existing ones are sound."""
    findings = maintenance.examine_environments(Environments().cache, os.environ)
    if as_json:
        print_json(machine.build_findings_document(findings))
    else:
        machine.show_findings(Console(), findings)
    return ExitCode.UNFIT if rate_fitness(findings) is Fitness.UNFIT else ExitCode.FINE


def inspect_internal(environments: Environments, name: str) -> Environment:
    """Find an environment that is created here, and its interpreter.

    Raises:
        UsageError: it is not one that is created here.
    """
    if environments.find(to_absolute_interpreter(name)).definition is None:
        raise UsageError(f"{name} is an existing interpreter, used as it is; name an environment such as torch")
    return environments.inspect(name)
