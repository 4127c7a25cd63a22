"""Requests at once: by threads of this process, and by processes with one client each."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from schemas.companion import Served
from schemas.event import Throughput
from schemas.job import JobSpec
from schemas.judging import AT_ONCE, SET
from workers.companions import CompanionFailed, Companions
from workers.errors import is_out_of_memory, summarise_error
from workers.interfaces import HasThreadSettings, SupportsClients
from workers.measurement.memory import list_process_tree, sum_sizes
from workers.measurement.stopwatch import Stopwatch
from workers.measurement.throughput import (
    Calls,
    Client,
    call_from,
    call_in_threads,
    choose_begin_ns,
    pause_collection,
    pool_latencies,
    thin_latencies,
)
from workers.session import Session
from workers.settings import SettingsLog, share_cores

if TYPE_CHECKING:
    from workers.interfaces import Step


def measure_throughput(
    spec: JobSpec, session: Session, watch: Stopwatch, step: "Step", settings: SettingsLog
) -> tuple[Throughput, ...]:
    """Answer the requests of each number of clients, first by threads of this process, then by processes.

    The results of every client's last call are saved for the judge.
    """
    if (shared := share_cores(spec.shared_cpus)) is not None:
        settings.add_readings([shared])
    server = Server(session, watch, step, reads_memory=spec.start == "fresh")
    found = [attempt(server.serve_by_threads, count, 1) for count in spec.timing.concurrency]
    return (*found, *serve_by_processes(spec, server, [count for count in spec.timing.concurrency if count > 1]))


def serve_by_processes(spec: JobSpec, server: "Server", numbers: Sequence[int]) -> list[Throughput]:
    """Answer each number of clients by as many processes; if these cannot start, say why for each."""
    if not numbers:
        return []
    try:
        with Companions(spec, max(numbers) - 1) as companions:
            return [attempt(lambda count: server.serve_by_processes(count, companions), n, n) for n in numbers]
    except CompanionFailed as error:
        return [Throughput(clients=count, processes=count, error=str(error)) for count in numbers]


def attempt(serve: Callable[[int], Throughput], clients: int, processes: int) -> Throughput:
    """Return what one number of clients has done, or why nothing was measured: the figures before it stay.

    A job without enough memory ends, whoever notices.
    """
    try:
        return serve(clients)
    except Exception as error:  # whatever a step raises that several threads call
        if is_out_of_memory(error):
            raise
        return Throughput(clients=clients, processes=processes, error=summarise_error(error))


class Server:
    """The step of one process, which answers clients beside others."""

    def __init__(self, session: Session, watch: Stopwatch, step: "Step", *, reads_memory: bool) -> None:
        self._session, self._step, self._reads_memory = session, step, reads_memory
        self._input_sets, self._numbers = watch.input_sets, watch.numbers

    def serve_by_threads(self, count: int) -> Throughput:
        """Answer so many clients, each in a thread of this process."""
        framework, sets = self._session.framework, self._input_sets
        steps = framework.make_clients(count) if isinstance(framework, SupportsClients) else [self._step] * count
        clients = [Client(each, framework.synchronise, sets, first) for first, each in enumerate(steps)]
        prepare = framework.apply_thread_settings if isinstance(framework, HasThreadSettings) else lambda: None
        made = call_in_threads(clients, prepare)
        pss = self._read_memory()
        for each in made:
            self._save_results(each)
        return Throughput(
            clients=count,
            processes=1,
            calls=tuple(len(each.latencies) for each in made),
            took_ns=tuple(each.took_ns for each in made),
            latency_ns=pool_latencies([(len(each.latencies), each.latencies) for each in made]),
            pss=pss,
        )

    def serve_by_processes(self, count: int, companions: Companions) -> Throughput:
        """Answer so many clients, one in this process, and one in each of its companions."""
        begin_ns = choose_begin_ns()
        others = companions.begin_round(count - 1, begin_ns)
        with pause_collection():
            own = call_from(Client(self._step, self._session.framework.synchronise, self._input_sets), begin_ns)
        served = [each.read_served(begin_ns) for each in others]
        idle = set(companions.pids) - {each.pid for each in others}
        pss = self._read_memory(idle)
        self._save_results(own)
        for each in served:
            self._save_answers(each)
        mine = (len(own.latencies), thin_latencies(own.latencies))
        return Throughput(
            clients=count,
            processes=count,
            calls=(mine[0], *(each.calls for each in served)),
            took_ns=(own.took_ns, *(each.took_ns for each in served)),
            latency_ns=pool_latencies([mine, *((each.calls, each.latency_ns) for each in served)]),
            pss=pss,
        )

    def _save_results(self, made: Calls) -> None:
        results = self._session.framework.to_numpy(made.outputs)
        self._session.results.add_results(f"{SET}{self._numbers[made.number]}", AT_ONCE, results)

    def _save_answers(self, served: Served) -> None:
        with np.load(served.results) as saved:
            results = [saved[name] for name in saved.files]
        self._session.results.add_results(f"{SET}{served.number}", AT_ONCE, results)

    def _read_memory(self, idle: Collection[int] = ()) -> int | None:
        """Read what this process and its descendants but these hold of the memory; None where it is not counted."""
        if not self._reads_memory:
            return None
        return sum_sizes(tuple(pid for pid in list_process_tree() if pid not in idle), "smaps_rollup")["Pss"] or None
