"""Requests a second with several clients at once: as a table, in sentences, and as data."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.analysis.costs.throughput import Throughput, find_best
from orchestrator.analysis.derivation.percentiles import PERCENTILES
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.rows import finite_or_none
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import fold_label, format_duration, format_size, join_names
from orchestrator.report.tables import make_table, name_column, number_columns
from orchestrator.report.values import interval_to_dict

TITLE = "Requests of several clients at once"
HEADINGS = ("mode", "answered by", "a second", "interval", "× one", "p50", "p99", "memory")
SHOWN = (f"p{PERCENTILES[0]}", f"p{PERCENTILES[-1]}")

# Less than this part of the calls a second that samples give needs an explanation.
LEAST_SHARE = 0.9


def build_tables(group: Group) -> Iterator[Table]:
    """Yield the table of one group; none if the sweep did not ask for clients at once.

    Each mode has a line of its own, so that what answers its clients needs no column.
    """
    rows = [*list_rows(group)]
    if not rows:
        return
    name, kind, *numbers = HEADINGS
    drawn = make_table(name_column(f"{name}, {kind}"), *number_columns(*numbers), title=TITLE)
    for label, answered in groupby(rows, key=lambda row: row[0]):
        drawn.add_row(Text(fold_label(label)))
        for _, way, *figures in answered:
            drawn.add_row(Text(f"  {way}"), *map(Text, figures))
    yield drawn


def list_rows(group: Group) -> Iterator[tuple[str, ...]]:
    """Yield a row of texts for each ranked cell and number of clients."""
    for result in group.ranked:
        for each in result.throughput:
            yield result.label, name_servers(each), *format_figures(each)


def name_servers(served: Throughput) -> str:
    """Return what answers the clients, in words."""
    if served.clients == 1:
        return "1 thread"
    return f"{served.clients} processes" if served.processes > 1 else f"{served.clients} threads"


def format_figures(served: Throughput) -> tuple[str, ...]:
    """Return the figures of some clients, with a dash for each that is not known. A sentence has the reason."""
    if served.error and math.isnan(served.per_second.estimate):
        return ("failed", *["–"] * 5)
    times = [served.latency_ns.get(name) for name in SHOWN]
    pss = finite_or_none(served.pss.estimate)
    return (
        format_rate(served.per_second.estimate),
        format_ends(served.per_second),
        "–" if math.isnan(served.gain.estimate) else f"{served.gain.estimate:.2f}",
        *("–" if each is None else format_duration(each.estimate) for each in times),
        "–" if pss is None else format_size(pss),
    )


def format_rate(rate: float) -> str:
    """Format calls a second with at least three digits."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def format_ends(interval: Interval) -> str:
    """Return the ends of an interval of rates; a dash if its processes support none."""
    known = math.isfinite(interval.low) and math.isfinite(interval.high)
    return f"{format_rate(interval.low)}–{format_rate(interval.high)}" if known else "–"


def describe_throughput(results: Sequence[Result]) -> Iterator[str]:
    """Yield which mode answers most requests, and each whose single client gets less than its samples promise."""
    best = [(result, found) for result in results if (found := find_best(result.throughput)) is not None]
    if best:
        yield describe_most(max(best, key=lambda each: each[1].per_second.estimate), best)
    for result in results:
        for each in result.throughput:
            if each.clients == 1 and each.share.high < LEAST_SHARE:
                yield (
                    f"{result.label}: one client gets {each.share.estimate:.0%} of the calls a second that samples "
                    "give, because it waits for each result."
                )
            if each.error:
                yield f"{result.label} cannot serve {name_servers(each)} at once: {each.error}."


def describe_most(first: tuple[Result, Throughput], best: Sequence[tuple[Result, Throughput]]) -> str:
    """Describe the mode with the highest rate, and name those that this run cannot tell apart from it.

    Modes are told apart if the intervals of their highest rates have nothing in common.
    """
    result, most = first
    rate = f"{format_known(most.per_second, format_rate)} a second by {name_way(result.cell.threads, most)}"
    has_gain = most.clients > 1 and not math.isnan(most.gain.estimate)
    more = f", {format_known(most.gain, '{:.2f}'.format)} times as many as one client gets" if has_gain else ""
    rivals = [
        other.label for other, found in best if other is not result and not found.per_second.high < most.per_second.low
    ]
    if rivals:
        untold = f"this run cannot tell it apart from {join_names(rivals)}"
        return f"{result.label} has the highest rate of requests, {rate}{more}, but {untold}."
    return f"{result.label} answers most requests: {rate}{more}."


def format_known(interval: Interval, form: Callable[[float], str]) -> str:
    """Format an estimate, with its ends in parentheses if the data support them."""
    known = math.isfinite(interval.low) and math.isfinite(interval.high)
    return form(interval.estimate) + (f" ({form(interval.low)}–{form(interval.high)})" if known else "")


def describe_servers(groups: Iterable[Group]) -> Iterator[str]:
    """Yield, for each mode that was served with several numbers of threads, which use of the cores answers most.

    Only ways that use as many threads in all are compared: four processes of one thread, one process of four.
    """
    for (mode, *_), ways in collect_ways(groups).items():
        for total in sorted({threads * served.clients for threads, served in ways}, reverse=True):
            full = [(threads, served) for threads, served in ways if threads * served.clients == total]
            if len({threads for threads, _ in full}) > 1:
                yield f"With {total} threads in all, {mode} answers so many requests a second: {list_rates(full)}."
                break


def list_rates(ways: Iterable[tuple[int, Throughput]]) -> str:
    """Return the requests a second of several uses of the cores in words, the most first."""
    ordered = sorted(ways, key=lambda way: way[1].per_second.estimate, reverse=True)
    said = [
        f"{format_known(served.per_second, format_rate)} by {name_way(threads, served)}" for threads, served in ordered
    ]
    return join_names(said, "and")


def collect_ways(groups: Iterable[Group]) -> Mapping[tuple[str, str], Sequence[tuple[int, Throughput]]]:
    """Return the numbers of threads with what was served, by mode and by all else that a cell says."""
    found = defaultdict[tuple[str, str], list[tuple[int, Throughput]]](list)
    for group in groups:
        for result in group.ranked:
            known = [each for each in result.throughput if not math.isnan(each.per_second.estimate)]
            rest = result.cell.model_dump_json(exclude={"threads"})
            found[result.cell.label, rest].extend((result.cell.threads, each) for each in known)
    return {key: ways for key, ways in found.items() if ways}


def name_way(threads: int, served: Throughput) -> str:
    """Return a use of the cores in words."""
    if served.processes > 1:
        return f"{served.processes} processes of {count_threads(threads)}"
    clients = f" for {served.clients} clients" if served.clients > 1 else ""
    return f"one process of {count_threads(threads)}{clients}"


def count_threads(threads: int) -> str:
    """Return a number of threads in words."""
    return "one thread" if threads == 1 else f"{threads} threads"


def throughput_to_list(served: Iterable[Throughput]) -> list[dict[str, Any]] | None:
    """Return the requests a second for each number of clients as data; None if they were not asked for."""
    return [
        {
            "clients": each.clients,
            "processes": each.processes,
            "per_second": interval_to_dict(each.per_second),
            "gain_over_one": interval_to_dict(each.gain),
            "share_of_samples": interval_to_dict(each.share),
            "latency_ns": {name: interval_to_dict(interval) for name, interval in each.latency_ns.items()} or None,
            "pss_bytes": interval_to_dict(each.pss),
            "error": each.error,
        }
        for each in served
    ] or None
