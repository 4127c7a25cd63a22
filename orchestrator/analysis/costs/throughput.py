"""Requests a second of a cell over its processes, for each number of clients, and the gain over one client. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.derivation.throughput import ServedClients
from orchestrator.analysis.latency import summarise_percentiles
from orchestrator.analysis.statistics.intervals import Interval, median_interval

# What one process has measured: the time of a call in its samples in nanoseconds, and the requests of its clients.
Measured = tuple[float, Sequence[ServedClients]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Requests a second with so many clients, over the processes of a cell; intervals as for times.

    `gain` is over one client of the same process. `share` is of the calls a second that the samples of the same process
    give, for one client. Both are NaN where there is nothing to compare with. `latency_ns` are percentiles by name,
    `pss` is in bytes. `error` is what a client has raised, if one has in any process.
    """

    clients: int
    processes: int
    per_second: Interval
    gain: Interval
    share: Interval
    latency_ns: Mapping[str, Interval]
    pss: Interval
    error: str


def summarise_throughput(measured: Iterable[Measured]) -> tuple[Throughput, ...]:
    """Return the requests a second of a cell for each number of clients, in the order in which they were measured."""
    jobs = [each for each in measured if each[1]]
    kinds = dict.fromkeys((served.clients, served.processes) for _, all_served in jobs for served in all_served)
    return tuple(summarise_clients(*kind, jobs) for kind in kinds)


def summarise_clients(clients: int, processes: int, jobs: Sequence[Measured]) -> Throughput:
    """Return the requests a second with so many clients by so many processes."""
    found = [each for _, served in jobs if (each := find_served(served, clients, processes)) is not None]
    return Throughput(
        clients=clients,
        processes=processes,
        per_second=median_interval([each.per_second for each in found if each.per_second is not None]),
        gain=median_interval([*list_gains(clients, processes, jobs)]),
        share=median_interval([*list_shares(jobs)] if clients == 1 else []),
        latency_ns=summarise_percentiles([each.percentiles for each in found if each.percentiles]),
        pss=median_interval([each.pss for each in found if each.pss is not None]),
        error=next((each.error for each in found if each.error), ""),
    )


def list_gains(clients: int, processes: int, jobs: Iterable[Measured]) -> Iterator[float]:
    """Yield, for each process that has served both, how many times as many requests so many clients get as one."""
    for _, served in jobs:
        many, one = find_served(served, clients, processes), find_served(served, 1, 1)
        if many is not None and one is not None and many.per_second and one.per_second:
            yield many.per_second / one.per_second


def list_shares(jobs: Iterable[Measured]) -> Iterator[float]:
    """Yield, for each process that has served one client, its part of the calls a second that the samples give."""
    for call_ns, served in jobs:
        one = find_served(served, 1, 1)
        if one is not None and one.per_second is not None:
            yield one.per_second * call_ns / 1e9


def find_served(all_served: Sequence[ServedClients], clients: int, processes: int) -> ServedClients | None:
    """Return what so many clients of so many processes have got; None if that was not measured."""
    return next((each for each in all_served if (each.clients, each.processes) == (clients, processes)), None)


def find_best(measured: Iterable[Throughput]) -> Throughput | None:
    """Return the number of clients with the most requests a second; None without any that was measured."""
    known = [each for each in measured if not math.isnan(each.per_second.estimate)]
    return max(known, key=lambda each: each.per_second.estimate, default=None)
