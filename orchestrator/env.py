"""Implementations of the `env` commands."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from orchestrator import family
from orchestrator.doctor import Verdict, verdict
from orchestrator.environments import Environments, absolute, upkeep
from orchestrator.environments.provision import Interrupted, Site, Workshop, workshop
from orchestrator.errors import UsageError
from orchestrator.exits import Exit
from orchestrator.interrupts import Interrupts
from orchestrator.report import health, making, shelf
from orchestrator.report.printing import print_json, say
from orchestrator.specfile import load, validate


def defined(file: Path | None) -> Environments:
    """Load the environments that names mean, with those that a sweep file defines."""
    return Environments(validate(load(file)).environments if file is not None else {})


def made(environments: Environments, sites: Sequence[Site], console: Console) -> bool:
    """Create missing environments, with a line for each step; return False if a signal came first.

    Raises:
        UsageError: one cannot be created.
    """
    if not sites:
        return True
    try:
        with Interrupts() as interrupts, family.guarded():
            shop(environments, interrupts, console).make(sites)
    except Interrupted:
        say(console, "Interrupted: environments created before are kept, and nothing else was begun.")
        return False
    environments.forget()  # found missing before, they now exist
    return True


def shop(environments: Environments, interrupts: Interrupts, console: Console) -> Workshop:
    """Return a workshop that reports each step on the console."""
    return workshop(environments.home, interrupts, lambda event: say(console, making.line(event)))


def list_(file: Path | None, *, as_json: bool) -> None:
    """Show which environments are defined, and which of them exist."""
    environments = defined(file)
    said = shelf.inventory(environments, [*environments.own, *upkeep.names()])
    if as_json:
        print_json(said)
    else:
        shelf.show_inventory(Console(), said)


def create(names: Sequence[str], file: Path | None, *, as_json: bool) -> Exit:
    """Create environments now."""
    environments, console = defined(file), Console(stderr=as_json)
    if not made(environments, [site_of(environments, name) for name in names], console):
        return Exit.INTERRUPTED
    if as_json:
        print_json([making.document(environments.find(name)) for name in names])
    else:
        for name in names:
            say(console, f"{name}: {environments.find(name).python}")
    return Exit.FINE


def show(name: str, file: Path | None, *, as_json: bool) -> None:
    """Show everything known about an environment."""
    environments = defined(file)
    found = environments.find(absolute(name))
    if as_json:
        print_json(shelf.story(found))
    else:
        shelf.show_story(Console(), shelf.story(found))


def lock(name: str, file: Path | None, output: Path | None) -> Exit:
    """Write the exact versions, with hashes, that an environment's requirements resolve to."""
    environments, console = defined(file), Console(stderr=True)
    site = site_of(environments, name)
    try:
        with Interrupts() as interrupts, family.guarded():
            pinned = shop(environments, interrupts, console).resolve(site).pinned
    except Interrupted:
        return Exit.INTERRUPTED
    text = shelf.lock_text(site, pinned)
    if output is None:
        print(text, end="")
    else:
        output.write_text(text)
        say(console, f"{output}: {len(pinned)} packages")
    return Exit.FINE


def prune(names: Sequence[str], *, everything: bool, as_json: bool) -> None:
    """Remove environments: the named ones, all, or the incomplete and outdated ones.

    Raises:
        UsageError: names and `everything` are both given; nothing is removed.
    """
    if names and everything:
        raise UsageError(f"prune removes {', '.join(names)} or, with --all, everything; leave one of the two out")
    environments = Environments()
    places = upkeep.of(environments, names) if names else upkeep.superseded(environments)
    if everything:
        places = environments.home.places()
    removed = list(upkeep.remove(list(places)))
    if everything:
        environments.home.forget()  # resolved requirements, too
    if as_json:
        print_json(shelf.removals(removed))
    else:
        for line in shelf.removal_lines(removed):
            say(Console(), line)


def doctor(*, as_json: bool) -> Exit:
    """Check whether environments can be created here, and whether existing ones are sound."""
    findings = upkeep.examine(Environments().home, os.environ)
    if as_json:
        print_json(health.findings_document(findings))
    else:
        health.show_findings(Console(), findings)
    return Exit.UNFIT if verdict(findings) is Verdict.UNFIT else Exit.FINE


def site_of(environments: Environments, name: str) -> Site:
    """Return the site where the environment of that name is created.

    Raises:
        UsageError: it is not one that is created here.
    """
    site = environments.find(absolute(name)).site
    if site is None:
        raise UsageError(f"{name} is an existing interpreter, used as it is; name an environment such as torch")
    return site
