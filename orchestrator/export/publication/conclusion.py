"""The conclusion of a run, as its publication states it: ranks, verdicts and ratios."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.results import Group
from orchestrator.analysis.rows import finite_or_none
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.errors import UsageError
from orchestrator.records.timestamps import parse_timestamp
from schemas.publication import (
    Publication,
    PublishedCell,
    PublishedComparison,
    PublishedFile,
    PublishedGroup,
    PublishedInterval,
)

# Other versions of NumPy and SciPy give other last digits.
DIGITS: Final = 6


def describe_publication(run: Run, files: Mapping[str, bytes]) -> Publication:
    """Return the description of a run's publication with these files.

    Raises:
        UsageError: the run does not say when it began, or which code measured it.
    """
    manifest, began = run.manifest, parse_timestamp(run.manifest.started)
    if began is None or manifest.identity is None:
        raise UsageError(f"{run.name} does not say when it began, or which code measured it; measure it again")
    return Publication(
        name=manifest.name,
        started=began.isoformat(timespec="seconds"),
        machine=run.machine_type.content_hash,
        machine_type=run.machine_type,
        fingerprint=manifest.host.content_hash,
        code=manifest.identity.code,
        blocks=run.blocks,
        groups=tuple(map(conclude_group, run.groups)),
        files={name: describe_file(content) for name, content in sorted(files.items())},
    )


def name_folder(publication: Publication) -> str:
    """Return the name of a publication's folder, within that of its machine type."""
    began = read_start(publication)
    return f"{began:%Y%m%d-%H%M%S}-{publication.fingerprint}-{publication.name}"


def read_start(publication: Publication) -> datetime:
    """Return the time at which a publication's run began.

    Raises:
        UsageError: the publication does not state it.
    """
    began = parse_timestamp(publication.started)
    if began is None:
        raise UsageError(f"{publication.started[:40]!r} is not a time")
    return began


def describe_file(content: bytes) -> PublishedFile:
    """Return the hash and the size of a file."""
    return PublishedFile(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def conclude_group(group: Group) -> PublishedGroup:
    """Return the conclusion about one group."""
    ranks = {standing.cell: (standing.best, standing.worst) for standing in group.standings}
    return PublishedGroup(
        title=group.title,
        baseline=group.baseline,
        cells=tuple(
            PublishedCell(
                id=result.cell.id,
                label=result.label,
                outcome=result.outcome,
                processes=result.jobs,
                rank=ranks.get(result.label),
                time_ns=round_interval(result.floor_ns),
            )
            for result in group.results
        ),
        comparisons=tuple(map(conclude_comparison, group.comparisons)),
        clone=None if group.clone is None else conclude_comparison(group.clone),
    )


def conclude_comparison(found: Comparison) -> PublishedComparison:
    """Return the conclusion about two cells."""
    return PublishedComparison(
        baseline=found.baseline,
        cell=found.cell,
        blocks=found.blocks,
        ratio=round_interval(found.undisturbed or found.ratio),
        verdict=str(found.verdict),
    )


def round_interval(interval: Interval) -> PublishedInterval:
    """Return an interval of positive values with few digits; an end that the data do not support is null."""
    low, high = interval.low, interval.high
    return PublishedInterval(
        estimate=round_digits(interval.estimate), low=round_digits(low) or None, high=round_digits(high)
    )


def round_digits(value: float) -> float | None:
    """Return a number with six significant digits; None if it is not finite."""
    known = finite_or_none(value)
    return None if known is None else float(f"{known:.{DIGITS}g}")
