"""When compiling has paid, and which mode is best for so many calls: in sentences, as tables, in the document."""

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
    """For each compiled mode, whether and when it has paid against the first mode that it is set against."""
    told = set[str]()
    for found in break_evens(group):
        if found.mode not in told:
            told.add(found.mode)
            first = duration(group.result(found.mode).first_ns.estimate)
            yield f"{found.mode} needs {first} to its first result, and {payoff(found)}."


def payoff(found: BreakEven) -> str:
    """One break-even as the end of a sentence."""
    calls = rounded(found.calls)
    match found.payoff:
        case Payoff.NEVER:
            return f"never pays against {found.other}: its calls are slower"
        case Payoff.OPEN:
            known = found.bounded and 1 < calls.low < math.inf
            least = f"; if it does, then not before {number(calls.low)} calls" if known else ""
            return f"is not known to pay: its calls are not shown to be faster than those of {found.other}{least}"
        case _ if calls.high == 1:
            return f"is ahead of {found.other} from the first call on"
        case _ if calls.estimate == 1:
            return f"is ahead of {found.other} after {number(calls.high)} calls at most"
        case _:
            ends = f"{number(calls.low)} to {number(calls.high)}"
            return f"has paid against {found.other} after about {number(calls.estimate)} calls ({ends})"


def tables(group: Group) -> Iterator[Table]:
    """The break-evens, and the best modes by numbers of calls; each only where it says something."""
    found = break_evens(group)
    if any(shown(each, calls) != OPEN for each in found for calls in (each.calls, each.with_import)):
        yield of_break_evens(found)
    ties = tuple(best(group)) if found else ()
    if any(len(modes) < len(group.curves) for each in ties for modes in (each.modes, each.with_import)):
        yield of_best(ties, len(group.curves))


def of_break_evens(found: Sequence[BreakEven]) -> Table:
    """A row for each compiled mode and each mode that it is set against. Fits 80 columns."""
    drawn = plain("After how many calls it has paid (95 % interval)")
    drawn.add_column("mode", no_wrap=True)
    drawn.add_column("against", no_wrap=True)
    drawn.add_column("from the\nfinished model", justify="right")
    drawn.add_column("with\nimport", justify="right")
    for each in found:
        both = (Text(narrow(each.mode)), Text(narrow(each.other)))
        drawn.add_row(*both, shown(each, each.calls), shown(each, each.with_import))
    return drawn


def of_best(found: Sequence[Best], modes: int) -> Table:
    """A row for each run of numbers of calls for which the same modes are best, of so many."""
    drawn = plain("Least time in all, by calls (at powers of ten)")
    drawn.add_column("calls", justify="right", no_wrap=True)
    drawn.add_column("from the finished model")
    drawn.add_column("with import")
    for ties, alike in groupby(found, lambda each: (each.modes, each.with_import)):
        calls = [each.calls for each in alike]
        numbers = dict.fromkeys((number(calls[0]), number(calls[-1])))
        drawn.add_row("–".join(numbers), *(" or ".join(tie) if len(tie) < modes else "not told apart" for tie in ties))
    return drawn


def shown(found: BreakEven, calls: Interval) -> str:
    """A break-even with its interval on a second line; what is not claimed has no estimate."""
    near = rounded(calls)
    ends = f"\n({number(near.low)}–{number(near.high)})"
    if found.payoff is Payoff.NEVER:
        return "never"
    if found.payoff is Payoff.OPEN:
        return OPEN + ends if found.bounded and (near.low, near.high) != (1, math.inf) else OPEN
    return "1" if near.high == 1 else number(near.estimate) + ends


def document(group: Group) -> dict[str, Any]:
    """Both as data, exact. Numbers of calls may be `never`; null is what the data do not support."""
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
    """A break-even with its ends."""
    return {name: exact(getattr(calls, name)) for name in ("estimate", "low", "high")}


def exact(calls: float) -> int | str | None:
    """A number of calls in JSON, which has no infinity and no NaN."""
    return None if math.isnan(calls) else "never" if math.isinf(calls) else int(calls)
