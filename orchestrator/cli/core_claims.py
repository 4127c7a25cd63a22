"""Cores are claimed on behalf of a command, with what the user has to know about them and about the machine."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from orchestrator.cli.output import print_line
from orchestrator.execution.core_claims import claim_cores
from orchestrator.format import to_printable
from orchestrator.machine.doctor import Facts, examine_machine
from orchestrator.planning.plan import Plan
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.report.machine import format_gravest
from schemas.record import Host


@dataclass(frozen=True, slots=True)
class PlanClaim:
    """The cores for a plan, and in one line what makes this machine unfit to measure on; "" if nothing does."""

    cores: tuple[int, ...]
    doubt: str


@contextmanager
def claim_for_plan(
    planned: Plan, host: Host, runs: Path, console: Console, *, wait: bool, preferred: Sequence[int] = ()
) -> Iterator[PlanClaim]:
    """Claim the cores that a plan needs, and judge the machine by the same observation.

    Raises:
        UsageError: other sweeps measure on them, and waiting is not wanted.
    """
    with claim_cores(
        planned.cores_needed, runs, preferred=preferred, on_wait=make_announcer(console, wait=wait)
    ) as claim:
        facts = Facts(host=host, now=claim.now, frameworks=tuple(load_frameworks().values()), unready=frozenset())
        yield PlanClaim(claim.cores, to_printable(format_gravest(examine_machine(facts))))


def make_announcer(console: Console, *, wait: bool) -> Callable[[str], None] | None:
    """Return what prints that a command waits; None for one that does not wait."""
    return (lambda line: print_line(console, to_printable(line))) if wait else None
