"""The best mode for one number of calls: in sentences and as data. It answers without a verdict too."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from orchestrator.analysis.calls import CallAnswer, ModeTotal, answer_for_calls
from orchestrator.analysis.costs.cost_curve import Start
from orchestrator.analysis.results import Group
from orchestrator.analysis.rows import finite_or_none
from orchestrator.format import format_count, format_duration, to_printable
from orchestrator.records.labels import describe_computations

STARTS: Final[dict[Start, str]] = {"model": "from the finished model, compiling included", "import": "with the import"}
# The number of other modes whose totals a sentence states.
MAX_OTHERS: Final = 4


def describe_best_modes(groups: Sequence[Group], count: int | None) -> list[str]:
    """Return the mode with the least total time for this number of calls, by group and start of the clock."""
    if count is None:
        return []
    computed = describe_computations(result.cell for group in groups for result in group.results)
    return [
        to_printable(" ".join([*([f"{computed[group.results[0].cell.id]}:"] if len(groups) > 1 else []), *said]))
        for group in groups
        if (said := list(describe_group_calls(group, count)))
    ]


def describe_group_calls(group: Group, count: int) -> Iterator[str]:
    """Yield the answer of one group for each start of the clock; nothing if nothing was measured."""
    for start, words in STARTS.items():
        if (answer := answer_for_calls(group, count, start)) is not None:
            calls = "1 call" if count == 1 else f"{format_count(count)} calls"
            yield f"For {calls} {words}, {describe_answer(answer)}."


def describe_answer(answer: CallAnswer) -> str:
    """Return the totals of one answer, the least first, as the end of a sentence."""
    first, *others = answer.totals
    total = f"{format_duration(first.total_ns.estimate)} in all ({format_total_range(first)})"
    if not others:
        return f"{first.mode} takes {total}"
    tied = [each for each in others if each.mode in answer.best]
    beaten = [each for each in others if each.mode not in answer.best]
    parts = [f"{first.mode} {'takes the least time' if not tied else 'has the least time'}, {total}"]
    if tied:
        is_ahead = answer.is_ahead and answer.blocks > 1
        ahead = f", though it was ahead in each of {answer.blocks} blocks" if is_ahead else ""
        parts.append(f"this run cannot tell it apart from {list_totals(tied, 'or')}{ahead}")
    if beaten:
        parts.append(f"{list_totals(beaten, 'and')} {'takes' if len(beaten) == 1 else 'take'} longer")
    return "; ".join(parts)


def list_totals(totals: Sequence[ModeTotal], word: str) -> str:
    """Return some modes with their totals, and the number of the others."""
    named = [f"{each.mode} ({format_duration(each.total_ns.estimate)})" for each in totals[:MAX_OTHERS]]
    if len(totals) > MAX_OTHERS:
        named.append(f"{len(totals) - MAX_OTHERS} other modes")
    return f" {word} ".join([part for part in (", ".join(named[:-1]), named[-1]) if part])


def format_total_range(total: ModeTotal) -> str:
    """Return the interval of a total, or the range over its processes if they are too few for an interval."""
    if total.has_interval:
        return f"{format_duration(total.total_ns.low)} to {format_duration(total.total_ns.high)}"
    if total.processes == 1:
        return "in one process"
    low, high = total.seen_ns
    return f"{format_duration(low)} to {format_duration(high)} in {total.processes} processes"


def best_modes_to_list(groups: Sequence[Group], count: int | None) -> list[dict[str, Any]] | None:
    """Return the same as data; None if no number of calls was asked for."""
    if count is None:
        return None
    found = [(group, start, answer_for_calls(group, count, start)) for group in groups for start in STARTS]
    return [
        {
            "group": group.title,
            "calls": count,
            "start": start,
            "best": list(answer.best),
            "totals": [total_to_dict(total) for total in answer.totals],
        }
        for group, start, answer in found
        if answer is not None
    ]


def total_to_dict(total: ModeTotal) -> dict[str, Any]:
    """Return one mode's total as data: an end of its interval that the processes do not support is null."""
    ends = total.total_ns if total.has_interval else None
    return {
        "mode": total.mode,
        "total_ns": {
            "estimate": finite_or_none(total.total_ns.estimate),
            "low": ends and ends.low,
            "high": ends and ends.high,
        },
        "seen_ns": list(total.seen_ns),
        "processes": total.processes,
    }
