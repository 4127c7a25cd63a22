"""Requests at once: by threads of one process, and by processes with one client each."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from schemas.companion import Served
from schemas.event import Throughput
from schemas.job import JobSpec
from schemas.judging import AT_ONCE, SET
from workers.companions import CompanionFailed, Companions
from workers.errors import is_out_of_memory, summarise_error
from workers.interfaces import KeepsCores
from workers.measurement.memory import list_process_tree, sum_sizes
from workers.measurement.stopwatch import Stopwatch
from workers.measurement.throughput import (
    Calls,
    Client,
    call_clients,
    call_from,
    choose_begin_ns,
    pause_collection,
    pool_latencies,
    thin_latencies,
)
from workers.session import Session
from workers.settings import SettingsLog, format_cores, share_cores

if TYPE_CHECKING:
    from workers.interfaces import Step


def measure_throughput(
    spec: JobSpec, session: Session, watch: Stopwatch, step: "Step", settings: SettingsLog
) -> tuple[Throughput, ...]:
    """Answer the requests of each number of clients, first by threads of one process, then by processes.

    This process answers them, and companions beside it. Where a framework keeps to the cores of its start, companions
    alone do, which start on the cores for this. The results of every client's last call are saved for the judge.
    """
    if (shared := share_cores(spec.shared_cpus)) is not None:
        settings.add_readings([shared])
    server = Server(spec, session, watch, step)
    numbers = spec.timing.concurrency
    by_threads, by_processes = [(count, 1) for count in numbers], [(count, count) for count in numbers if count > 1]
    if isinstance(session.framework, KeepsCores):
        started_there = spec.model_copy(update={"cpus": spec.shared_cpus or spec.cpus})
        return tuple(serve_with_companions(started_there, server.serve_by_others, [*by_threads, *by_processes], own=0))
    found = [attempt(partial(server.serve_by_threads, count), count, 1) for count in numbers]
    return (*found, *serve_with_companions(spec, server.serve_beside, by_processes, own=1))


def serve_with_companions(
    spec: JobSpec, serve: Callable[[int, int, Companions], Throughput], rows: Sequence[tuple[int, int]], *, own: int
) -> list[Throughput]:
    """Answer each number of clients by so many processes, `own` of which is this one.

    If the others cannot start, every row says why.
    """
    if not rows:
        return []
    try:
        with Companions(spec, max(processes for _, processes in rows) - own) as companions:
            return [attempt(partial(serve, *row, companions), *row) for row in rows]
    except CompanionFailed as error:
        return [Throughput(clients=clients, processes=processes, error=str(error)) for clients, processes in rows]


def attempt(serve: Callable[[], Throughput], clients: int, processes: int) -> Throughput:
    """Return what some clients have got, or why nothing was measured: the figures before it stay.

    A job without enough memory ends, whoever notices.
    """
    try:
        return serve()
    except Exception as error:  # whatever a step raises that several threads call
        if is_out_of_memory(error):
            raise
        return Throughput(clients=clients, processes=processes, error=summarise_error(error))


class Server:
    """The step of one process, which answers clients alone, beside companions, or lets these answer them."""

    def __init__(self, spec: JobSpec, session: Session, watch: Stopwatch, step: "Step") -> None:
        self._session, self._step, self._shared = session, step, spec.shared_cpus
        self._reads_memory = spec.start == "fresh"
        self._input_sets, self._numbers = watch.input_sets, watch.numbers

    def serve_by_threads(self, count: int) -> Throughput:
        """Answer so many clients, each in a thread of this process."""
        made = call_clients(self._session.framework, self._step, self._input_sets, count)
        pss = self._read_memory()
        return self._add_up(1, [self._take_own(each) for each in made], pss)

    def serve_beside(self, count: int, processes: int, companions: Companions) -> Throughput:
        """Answer so many clients, one in this process, and one in each of its companions."""
        begin_ns = choose_begin_ns()
        others = companions.begin_round(count - 1, begin_ns)
        with pause_collection():
            own = call_from(Client(self._step, self._session.framework.synchronise, self._input_sets), begin_ns)
        served = [each.read_served(begin_ns) for each in others]
        pss = self._read_memory(set(companions.pids) - {each.pid for each in others})
        return self._add_up(processes, [self._take_own(own), *map(self._take_answer, served)], pss)

    def serve_by_others(self, count: int, processes: int, companions: Companions) -> Throughput:
        """Let companions answer so many clients: one of them by threads, or each of them one."""
        begin_ns, threads = choose_begin_ns(), count if processes == 1 else 0
        others = companions.begin_round(processes, begin_ns, threads)
        served = [each.read_served(begin_ns) for each in others for _ in range(max(1, threads))]
        own = set(list_process_tree()) - set(companions.pids)
        pss = self._read_memory({*own, *companions.pids} - {each.pid for each in others})
        return self._add_up(processes, [*map(self._take_answer, served)], pss)

    def _take_own(self, made: Calls) -> Served:
        """Save what a client of this process got last, and describe its calls."""
        number = self._numbers[made.number]
        results = self._session.framework.to_numpy(made.outputs)
        self._session.results.add_results(f"{SET}{number}", AT_ONCE, results)
        return Served(
            begin_ns=0,
            calls=len(made.latencies),
            took_ns=made.took_ns,
            latency_ns=thin_latencies(made.latencies),
            number=number,
            results="",
            cores=tuple(sorted(made.cores)),
        )

    def _take_answer(self, served: Served) -> Served:
        """Save what a client of a companion got last, and return the description of its calls."""
        with np.load(served.results) as saved:
            results = [saved[name] for name in saved.files]
        self._session.results.add_results(f"{SET}{served.number}", AT_ONCE, results)
        return served

    def _add_up(self, processes: int, served: Sequence[Served], pss: int | None) -> Throughput:
        """Return the calls of all clients, or which of them had not all the cores."""
        for each in served:
            if each.cores and self._shared and {*each.cores} != {*self._shared}:
                has, due = format_cores(each.cores), format_cores(self._shared)
                reason = f"the calls of a client ran on core {has} alone, not on cores {due}"
                return Throughput(clients=len(served), processes=processes, error=reason)
        return Throughput(
            clients=len(served),
            processes=processes,
            calls=tuple(each.calls for each in served),
            took_ns=tuple(each.took_ns for each in served),
            latency_ns=pool_latencies([(each.calls, each.latency_ns) for each in served]),
            pss=pss,
        )

    def _read_memory(self, idle: Collection[int] = ()) -> int | None:
        """Read what this process and its descendants but these hold of the memory; None where it is not counted."""
        if not self._reads_memory:
            return None
        return sum_sizes(tuple(pid for pid in list_process_tree() if pid not in idle), "smaps_rollup")["Pss"] or None
