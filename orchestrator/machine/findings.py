"""A finding about the machine: severity, sentence, remedy; and the fitness that all findings add up to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

GIB = 1 << 30


class Severity(StrEnum):
    """Severity of a finding, in ascending order."""

    FINE = "fine"
    NOTE = "note"
    WARNING = "warning"
    UNFIT = "unfit"


class Fitness(StrEnum):
    """Result of all findings."""

    FIT = "fit"
    RESERVATIONS = "fit with reservations"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about the state and one of advice. `about` is a name for programs."""

    severity: Severity
    about: str
    what: str
    advice: str


def rate_fitness(findings: Iterable[Finding]) -> Fitness:
    """Return the fitness that the gravest finding implies."""
    grave = {finding.severity for finding in findings}
    if Severity.UNFIT in grave:
        return Fitness.UNFIT
    return Fitness.RESERVATIONS if Severity.WARNING in grave else Fitness.FIT


def report_fine(about: str, what: str) -> Finding:
    """Report that all is well."""
    return Finding(Severity.FINE, about, what, "Nothing to do.")


def report_note(about: str, what: str, advice: str) -> Finding:
    """Report what is worth knowing."""
    return Finding(Severity.NOTE, about, what, advice)


def report_warning(about: str, what: str, advice: str) -> Finding:
    """Report a reservation."""
    return Finding(Severity.WARNING, about, what, advice)


def report_unfit(about: str, what: str, advice: str) -> Finding:
    """Report a reason not to measure here, or not now."""
    return Finding(Severity.UNFIT, about, what, advice)


def format_percent(share: float) -> str:
    """Format `93 %` or `0.6 %`."""
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"


def format_count(number: int, noun: str) -> str:
    """Format `1 time` or `2 times`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def join_names(names: Sequence[str], word: str = "and") -> str:
    """Join `a`, `a and b` or `a, b and c`."""
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
