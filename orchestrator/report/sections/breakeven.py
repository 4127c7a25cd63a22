"""Break-evens, and the best modes by number of calls: in sentences, as tables, and as data."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.analysis.breakeven import BestModes, BreakEven, Payoff, find_best_modes, find_break_evens
from orchestrator.analysis.results import Group
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import fold_label, format_count, format_count_range, format_duration, round_counts
from orchestrator.report.tables import make_table, name_column, number_columns

NOT_CLAIMED = str(Payoff.OPEN)


def describe_break_evens(group: Group) -> Iterator[str]:
    """Yield for each compiled mode whether and when it breaks even with the first mode it is compared with."""
    # Further break-evens of a mode would repeat its first result; the table has them.
    told = set[str]()
    for found in find_break_evens(group):
        if found.mode not in told:
            told.add(found.mode)
            first = format_duration(group.result(found.mode).first_ns.estimate)
            yield f"{found.mode} takes {first} to produce its first result and {describe_payoff(found)}."


def describe_payoff(found: BreakEven) -> str:
    """Return one break-even as the end of a sentence."""
    calls = round_counts(found.calls)
    match found.payoff:
        case Payoff.NEVER:
            return f"never breaks even with {found.other}: its calls are slower"
        case Payoff.OPEN:
            # Even without a claim, the lower end of a sound interval is known.
            known = found.has_valid_interval and 1 < calls.low < math.inf
            least = f"; if it does, it takes at least {format_count(calls.low)} calls" if known else ""
            return f"is not known to break even with {found.other}: its calls are not shown to be faster{least}"
        case _ if calls.estimate == 1:
            return f"is ahead of {found.other} {describe_amortisation(found.calls)}"
        case _:
            return f"breaks even with {found.other} {describe_amortisation(found.calls)} ({format_count_range(calls)})"


def describe_amortisation(calls: Interval) -> str:
    """Return the number of calls after which a slower start has been amortised, as the end of a clause."""
    near = round_counts(calls)
    if near.high == 1:
        return "from the first call on"
    if near.estimate == 1:
        return f"after at most {format_count(near.high)} calls"
    return f"after about {format_count(near.estimate)} calls"


def build_tables(group: Group) -> Iterator[Table]:
    """Yield the table of break-evens and that of the best modes, each only if it says something."""
    found = find_break_evens(group)
    # A table that claims nothing and bounds nothing would only take space.
    if any(format_break_even(each, calls) != NOT_CLAIMED for each in found for calls in (each.calls, each.with_import)):
        yield build_break_even_table(found)
    ties = tuple(find_best_modes(group)) if found else ()
    if any(len(modes) < len(group.curves) for each in ties for modes in (each.modes, each.with_import)):
        yield build_best_modes_table(ties, len(group.curves))


def build_break_even_table(found: Sequence[BreakEven]) -> Table:
    """Return a table with a row for each compiled mode and each of its rivals. Fits 80 columns."""
    columns = (*map(name_column, ("mode", "against")), *number_columns("from the\nfinished model", "with\nimport"))
    drawn = make_table(*columns, title="Calls to break even (95 % interval)", gap=1)
    for each in found:
        both = (Text(fold_label(each.mode)), Text(fold_label(each.other)))
        drawn.add_row(*both, format_break_even(each, each.calls), format_break_even(each, each.with_import))
    return drawn


def build_best_modes_table(found: Sequence[BestModes], modes: int) -> Table:
    """Return a table with a row for each range of calls that has the same best modes, out of `modes` in all."""
    title = "Least total time by number of calls (powers of ten)"
    drawn = make_table(*number_columns("calls"), "from the finished model", "with import", title=title, gap=1)
    for ties, alike in groupby(found, lambda each: (each.modes, each.with_import)):
        calls = [each.calls for each in alike]
        numbers = dict.fromkeys((format_count(calls[0]), format_count(calls[-1])))
        drawn.add_row("–".join(numbers), *(" or ".join(tie) if len(tie) < modes else "not told apart" for tie in ties))
    return drawn


def format_break_even(found: BreakEven, calls: Interval) -> str:
    """Return a break-even with its interval on a second line, and without an estimate if it is not claimed."""
    near = round_counts(calls)
    ends = f"\n({format_count_range(near, '–')})"
    if found.payoff is Payoff.NEVER:
        return "never"
    if found.payoff is Payoff.OPEN:
        known = found.has_valid_interval and (near.low, near.high) != (1, math.inf)
        return NOT_CLAIMED + ends if known else NOT_CLAIMED
    return "1" if near.high == 1 else format_count(near.estimate) + ends


def break_evens_to_dict(group: Group) -> dict[str, Any]:
    """Return break-evens and best modes as exact data: `never` is infinity, null is what the data do not support."""
    return {
        "break_even": [
            {
                "mode": found.mode,
                "against": found.other,
                "payoff": str(found.payoff),
                "calls": calls_to_dict(found.calls),
                "calls_with_import": calls_to_dict(found.with_import),
            }
            for found in find_break_evens(group)
        ],
        "best_for": [
            {"calls": each.calls, "modes": list(each.modes), "modes_with_import": list(each.with_import)}
            for each in find_best_modes(group)
        ],
    }


def calls_to_dict(calls: Interval) -> dict[str, int | str | None]:
    """Return the estimate of a break-even with its ends."""
    return {name: calls_to_json(getattr(calls, name)) for name in ("estimate", "low", "high")}


def calls_to_json(calls: float) -> int | str | None:
    """Return a number of calls for JSON, which has no infinity and no NaN."""
    return None if math.isnan(calls) else "never" if math.isinf(calls) else int(calls)
