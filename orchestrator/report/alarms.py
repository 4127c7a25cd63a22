"""Alarms: what puts a whole run in doubt, and is therefore shown above its answer."""

from collections.abc import Iterator, Sequence

from orchestrator.analysis.results import Group
from orchestrator.format import to_printable
from orchestrator.records.labels import describe_computations
from orchestrator.report.sentences import describe_clone, is_honest_clone, list_measured

# The grade of a cell most of whose processes were disturbed.
DISTURBED_GRADE = "C"


def list_alarms(groups: Sequence[Group]) -> list[str]:
    """Return the alarms of a run: false claims of its A/A checks, and disturbances of all that was measured."""
    return [to_printable(alarm) for alarm in (*describe_false_claims(groups), *describe_disturbed_run(groups))]


def describe_false_claims(groups: Sequence[Group]) -> Iterator[str]:
    """Yield the A/A checks that found a difference, with the computation if there are several."""
    computed = describe_computations(result.cell for group in groups for result in group.results)
    for group in groups:
        if group.clone is not None and not is_honest_clone(group.clone):
            where = f"{computed[group.results[0].cell.id]}: " if len(groups) > 1 else ""
            yield from (f"{where}{sentence}" for sentence in describe_clone(group))


def describe_disturbed_run(groups: Sequence[Group]) -> Iterator[str]:
    """Yield a sentence if most processes of every measured cell were disturbed."""
    measured = [result for group in groups for result in list_measured(group)]
    if measured and all(result.grade == DISTURBED_GRADE for result in measured):
        flags = sorted(frozenset[str]().union(*(result.flags for result in measured)))
        cells = f"All {len(measured)} measured cells were" if len(measured) > 1 else "The measured cell was"
        yield (
            f"{cells} disturbed in most processes ({', '.join(flags)}). Times may be too high, and differences may be "
            "missed. Look for the cause with: python -m orchestrator doctor"
        )
