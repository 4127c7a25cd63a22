"""Break-evens, and the best modes by number of calls: in sentences, as tables, and as data."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.analysis.breakeven import Best, BreakEven, Payoff, best, break_evens
from orchestrator.analysis.results import Group
from orchestrator.analysis.statistics import Interval
from orchestrator.report.tables import plain
from orchestrator.report.units import duration, narrow, number, rounded

OPEN = str(Payoff.OPEN)


def sentences(group: Group) -> Iterator[str]:
    """Yield for each compiled mode whether and when it breaks even with the first mode it is compared with."""
    # Further break-evens of a mode would repeat its first result; the table has them.
    told = set[str]()
    for found in break_evens(group):
        if found.mode not in told:
            told.add(found.mode)
            first = duration(group.result(found.mode).first_ns.estimate)
            yield f"{found.mode} takes {first} to produce its first result and {payoff(found)}."


def payoff(found: BreakEven) -> str:
    """Return one break-even as the end of a sentence."""
    calls = rounded(found.calls)
    match found.payoff:
        case Payoff.NEVER:
            return f"never breaks even with {found.other}: its calls are slower"
        case Payoff.OPEN:
            # Even without a claim, the lower end of a sound interval is known.
            known = found.bounded and 1 < calls.low < math.inf
            least = f"; if it does, it takes at least {number(calls.low)} calls" if known else ""
            return f"is not known to break even with {found.other}: its calls are not shown to be faster{least}"
        case _ if calls.high == 1:
            return f"is ahead of {found.other} from the first call on"
        case _ if calls.estimate == 1:
            return f"is ahead of {found.other} after at most {number(calls.high)} calls"
        case _:
            ends = f"{number(calls.low)} to {number(calls.high)}"
            return f"breaks even with {found.other} after about {number(calls.estimate)} calls ({ends})"


def tables(group: Group) -> Iterator[Table]:
    """Yield the table of break-evens and that of the best modes, each only if it says something."""
    found = break_evens(group)
    # A table that claims nothing and bounds nothing would only take space.
    if any(shown(each, calls) != OPEN for each in found for calls in (each.calls, each.with_import)):
        yield of_break_evens(found)
    ties = tuple(best(group)) if found else ()
    if any(len(modes) < len(group.curves) for each in ties for modes in (each.modes, each.with_import)):
        yield of_best(ties, len(group.curves))


def of_break_evens(found: Sequence[BreakEven]) -> Table:
    """Return a table with a row for each compiled mode and each of its rivals. Fits 80 columns."""
    drawn = plain("Calls to break even (95 % interval)")
    drawn.add_column("mode", no_wrap=True)
    drawn.add_column("against", no_wrap=True)
    drawn.add_column("from the\nfinished model", justify="right")
    drawn.add_column("with\nimport", justify="right")
    for each in found:
        both = (Text(narrow(each.mode)), Text(narrow(each.other)))
        drawn.add_row(*both, shown(each, each.calls), shown(each, each.with_import))
    return drawn


def of_best(found: Sequence[Best], modes: int) -> Table:
    """Return a table with a row for each range of calls that has the same best modes, out of `modes` in all."""
    drawn = plain("Least total time by number of calls (powers of ten)")
    drawn.add_column("calls", justify="right", no_wrap=True)
    drawn.add_column("from the finished model")
    drawn.add_column("with import")
    for ties, alike in groupby(found, lambda each: (each.modes, each.with_import)):
        calls = [each.calls for each in alike]
        numbers = dict.fromkeys((number(calls[0]), number(calls[-1])))
        drawn.add_row("–".join(numbers), *(" or ".join(tie) if len(tie) < modes else "not told apart" for tie in ties))
    return drawn


def shown(found: BreakEven, calls: Interval) -> str:
    """Return a break-even with its interval on a second line, and without an estimate if it is not claimed."""
    near = rounded(calls)
    ends = f"\n({number(near.low)}–{number(near.high)})"
    if found.payoff is Payoff.NEVER:
        return "never"
    if found.payoff is Payoff.OPEN:
        return OPEN + ends if found.bounded and (near.low, near.high) != (1, math.inf) else OPEN
    return "1" if near.high == 1 else number(near.estimate) + ends


def document(group: Group) -> dict[str, Any]:
    """Return break-evens and best modes as exact data: `never` is infinity, null is what the data do not support."""
    return {
        "break_even": [
            {
                "mode": found.mode,
                "against": found.other,
                "payoff": str(found.payoff),
                "calls": of_calls(found.calls),
                "calls_with_import": of_calls(found.with_import),
            }
            for found in break_evens(group)
        ],
        "best_for": [
            {"calls": each.calls, "modes": list(each.modes), "modes_with_import": list(each.with_import)}
            for each in best(group)
        ],
    }


def of_calls(calls: Interval) -> dict[str, int | str | None]:
    """Return the estimate of a break-even with its ends."""
    return {name: exact(getattr(calls, name)) for name in ("estimate", "low", "high")}


def exact(calls: float) -> int | str | None:
    """Return a number of calls for JSON, which has no infinity and no NaN."""
    return None if math.isnan(calls) else "never" if math.isinf(calls) else int(calls)
