"""Requests at once: by threads of one process, and by processes with one client each."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from schemas.companion import ClientCalls, Served
from schemas.event import Throughput
from schemas.job import JobSpec
from schemas.judging import AT_ONCE, SET
from workers.arrays import Array
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
    describe_calls,
    pause_collection,
    pool_latencies,
)
from workers.process.companions import CompanionFailed, Companions
from workers.process.settings import SettingsLog, format_cores, share_cores
from workers.session import Session

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
    found = [serve_row(partial(server.serve_by_threads, count), count, 1) for count in numbers]
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
            return [serve_row(partial(serve, *row, companions), *row) for row in rows]
    except CompanionFailed as error:
        return [Throughput(clients=clients, processes=processes, error=str(error)) for clients, processes in rows]


def serve_row(serve: Callable[[], Throughput], clients: int, processes: int) -> Throughput:
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
        pss = self._read_memory(list_process_tree())
        return self._add_up(1, [self._take_own(each) for each in made], pss)

    def serve_beside(self, count: int, processes: int, companions: Companions) -> Throughput:
        """Answer so many clients, one in this process, and one in each of its companions."""
        begin_ns = choose_begin_ns()
        others = companions.begin_round(count - 1, begin_ns)
        with pause_collection():
            own = call_from(Client(self._step, self._session.framework.synchronise, self._input_sets), begin_ns)
        served = [each.read_served(begin_ns) for each in others]
        idle = {*companions.pids} - {each.pid for each in others}
        pss = self._read_memory(pid for pid in list_process_tree() if pid not in idle)
        return self._add_up(processes, [self._take_own(own), *map(self._take_answer, served)], pss)

    def serve_by_others(self, count: int, processes: int, companions: Companions) -> Throughput:
        """Let companions answer so many clients: one of them by threads, or each of them one."""
        begin_ns, threads = choose_begin_ns(), count if processes == 1 else 0
        others = companions.begin_round(processes, begin_ns, threads)
        served = [each.read_served(begin_ns) for each in others for _ in range(max(1, threads))]
        pss = self._read_memory(each.pid for each in others)
        return self._add_up(processes, [*map(self._take_answer, served)], pss)

    def _take_own(self, made: Calls) -> ClientCalls:
        """Save what a client of this process got last, and describe its calls."""
        results = self._session.framework.to_numpy(made.outputs)
        return self._keep_results(describe_calls(made, self._numbers[made.number]), results)

    def _take_answer(self, served: Served) -> ClientCalls:
        """Save what a client of a companion got last, and return the description of its calls."""
        with np.load(served.results) as saved:
            return self._keep_results(served.client, [saved[name] for name in saved.files])

    def _keep_results(self, client: ClientCalls, results: Sequence[Array]) -> ClientCalls:
        """Save results for the judge as those of a client's last call, and return the client."""
        self._session.results.add_results(f"{SET}{client.number}", AT_ONCE, results)
        return client

    def _add_up(self, processes: int, clients: Sequence[ClientCalls], pss: int | None) -> Throughput:
        """Return the calls of all clients, or why they do not count: one of them had not all the cores."""
        for each in clients:
            if each.cores and self._shared and {*each.cores} != {*self._shared}:
                reason = f"calls stay on {format_cores(each.cores)} of the cores {format_cores(self._shared)}"
                return Throughput(clients=len(clients), processes=processes, error=reason)
        return Throughput(
            clients=len(clients),
            processes=processes,
            calls=tuple(each.calls for each in clients),
            took_ns=tuple(each.took_ns for each in clients),
            latency_ns=pool_latencies([(each.calls, each.latency_ns) for each in clients]),
            pss=pss,
        )

    def _read_memory(self, pids: Iterable[int]) -> int | None:
        """Read how much of the memory these processes hold; None where it is not counted."""
        return sum_sizes(tuple(pids), "smaps_rollup")["Pss"] or None if self._reads_memory else None
