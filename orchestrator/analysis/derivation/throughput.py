"""Requests a second of one process and its companions, for each number of clients. Pure."""

from dataclasses import dataclass

from orchestrator.analysis.derivation.percentiles import PERCENTILES
from orchestrator.analysis.statistics.intervals import estimate_percentile
from schemas.event import Report, Throughput


@dataclass(frozen=True, slots=True)
class ServedClients:
    """The requests of so many clients at once, answered by threads of one process or by as many processes.

    `percentiles` are of the times of their calls, in nanoseconds; None for one that needs more calls. `pss` are bytes.
    With an `error`, nothing was measured.
    """

    clients: int
    processes: int
    per_second: float | None
    percentiles: tuple[float | None, ...]
    pss: int | None
    error: str


def derive_throughput(report: Report) -> tuple[ServedClients, ...]:
    """Return the requests of each number of clients, in the order of the report; empty if they were not asked for."""
    return tuple(map(derive_clients, report.throughput))


def derive_clients(measured: Throughput) -> ServedClients:
    """Return the requests of one number of clients."""
    return ServedClients(
        clients=measured.clients,
        processes=measured.processes,
        per_second=measured.per_second if measured.calls else None,
        percentiles=tuple(estimate_percentile(measured.latency_ns, q) for q in PERCENTILES) if measured.calls else (),
        pss=measured.pss,
        error=measured.error,
    )
