"""Several clients at once, each of which calls again as soon as it has its result: what a server of requests does.

A call counts from its begin to the moment when its result is ready. Clients call for a while before anything counts, so
that all of them are at work by then.
"""

import gc
import os
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.companion import ClientCalls
from workers.arrays import Array
from workers.interfaces import HasThreadSettings, SupportsClients
from workers.measurement.generation import repeat_like
from workers.measurement.stopwatch import Outputs, Step

if TYPE_CHECKING:
    from workers.interfaces import Framework

SETTLING_NS = 200_000_000
WINDOW_NS = 1_000_000_000

# Each client makes at least so many calls, however long they take.
LEAST_CALLS = 3

# A client begins so long after it was told to: all of them have heard it by then.
NOTICE_NS = 50_000_000

MOST_QUANTILES = 1000

# So often, and at this distance, the cores of a client are read while it calls.
READINGS = 5
READING_S = 0.002


@dataclass(frozen=True, slots=True)
class Client:
    """What calls a step: its own arrangement of the inputs, and what waits for the outputs."""

    step: Step
    synchronise: Callable[[Outputs], object]
    input_sets: Sequence[tuple[Any, ...]]
    first: int = 0
    """The set of inputs of its first call, so that clients do not call in step."""

    def prepare_calls(self) -> None:
        """Make the first calls in this thread, which may take long."""
        for inputs in self.input_sets:
            self.synchronise(self.step(*inputs))

    def count_calls(self, counted_from_ns: int, window_ns: int) -> "Calls":
        """Call, count those calls that begin from this time on, and stop after a window of time."""
        clock, step, synchronise, sets = time.perf_counter_ns, self.step, self.synchronise, self.input_sets
        latencies, number, began = array("q"), self.first % len(sets), 0
        while True:
            start = clock()
            outputs = step(*sets[number])
            synchronise(outputs)
            end = clock()
            if start >= counted_from_ns:
                # A client that came late has as long as the others.
                began = began or start
                latencies.append(max(1, end - start))
                if end - began >= window_ns and len(latencies) >= LEAST_CALLS:
                    return Calls(max(1, end - began), latencies, number, outputs)
            number = (number + 1) % len(sets)


@dataclass(frozen=True, slots=True)
class Calls:
    """The counted calls of one client, and the last one's number of the set of inputs, with its outputs.

    `cores` are those on which its thread may run while it calls; empty: the system does not tell.
    """

    took_ns: int
    latencies: "array[int]"
    number: int
    outputs: Outputs
    cores: frozenset[int] = frozenset()


def choose_begin_ns() -> int:
    """Return the moment at which all clients begin."""
    return time.perf_counter_ns() + NOTICE_NS


def call_from(client: Client, begin_ns: int) -> Calls:
    """Let a client begin at this moment, and call for a second that counts."""
    counted_from_ns = begin_ns + SETTLING_NS
    with watch_cores(counted_from_ns + WINDOW_NS // 2) as seen:
        time.sleep(max(0, begin_ns - time.perf_counter_ns()) / 1e9)
        calls = client.count_calls(counted_from_ns, WINDOW_NS)
    return replace(calls, cores=frozenset.intersection(*seen)) if seen else calls


@contextmanager
def watch_cores(at_ns: int) -> Iterator[list[frozenset[int]]]:
    """Note on which cores this thread may run at some moments from this time on, while it does something else.

    Some runtimes choose them anew in each call, so what the thread has between two calls says nothing.
    """
    seen, over, thread = list[frozenset[int]](), threading.Event(), threading.get_native_id()

    def read_cores() -> None:
        over.wait(max(0, at_ns - time.perf_counter_ns()) / 1e9)
        for _ in range(READINGS):
            if not over.wait(READING_S):
                seen.append(frozenset(os.sched_getaffinity(thread)))

    if sys.platform != "linux":
        yield seen
        return
    reader = threading.Thread(target=read_cores, daemon=True)
    reader.start()
    try:
        yield seen
    finally:
        over.set()
        reader.join()


def call_clients(framework: "Framework", step: Step, input_sets: Sequence[tuple[Any, ...]], count: int) -> list[Calls]:
    """Let so many clients call at once, each in a thread of this process, as the runtime recommends it."""
    steps = [step] * count
    if isinstance(framework, SupportsClients):
        steps = [repeat_like(framework, step, each) for each in framework.make_clients(count)]
    clients = [Client(each, framework.synchronise, input_sets, first) for first, each in enumerate(steps)]
    prepare = framework.apply_thread_settings if isinstance(framework, HasThreadSettings) else lambda: None
    return call_in_threads(clients, prepare)


def describe_calls(made: Calls, number: int) -> ClientCalls:
    """Describe the calls of a client, of which the last had the set of inputs with this number."""
    return ClientCalls(
        calls=len(made.latencies),
        took_ns=made.took_ns,
        latency_ns=thin_latencies(made.latencies),
        number=number,
        cores=tuple(sorted(made.cores)),
    )


def call_in_threads(clients: Sequence[Client], prepare_thread: Callable[[], object]) -> list[Calls]:
    """Let each client call in a thread of its own, all at once.

    Raises:
        Exception: the first that a client has raised.
    """
    found, raised, begin_ns = dict[int, Calls](), list[Exception](), list[int]()
    ready = threading.Barrier(len(clients), action=lambda: begin_ns.append(choose_begin_ns()))

    def run_client(place: int) -> None:
        try:
            prepare_thread()
            clients[place].prepare_calls()
            ready.wait()
            found[place] = call_from(clients[place], begin_ns[0])
        except threading.BrokenBarrierError:  # another client has raised
            return
        except Exception as error:  # whatever a step raises, which the caller raises again
            raised.append(error)
            ready.abort()

    threads = [threading.Thread(target=run_client, args=(place,), daemon=True) for place in range(len(clients))]
    with pause_collection():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if raised:
        raise raised[0]
    return [found[place] for place in range(len(clients))]


@contextmanager
def pause_collection() -> Iterator[None]:
    """Collect garbage now, and none while entered, as samples do."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def thin_latencies(latencies: Sequence[int]) -> tuple[int, ...]:
    """Return the quantiles of times at equal steps, at most a thousand of them."""
    return pool_latencies([(len(latencies), latencies)])


def pool_latencies(parts: Sequence[tuple[int, Sequence[int]]]) -> tuple[int, ...]:
    """Return the quantiles of several clients' calls: of each, the number of calls, and quantiles of their times."""
    values: Array = np.concatenate([np.asarray(each, dtype=np.int64) for _, each in parts])
    weights: Array = np.concatenate([np.full(len(each), calls / len(each)) for calls, each in parts])
    order = np.argsort(values, kind="stable")
    reached, count = np.cumsum(weights[order]), min(MOST_QUANTILES, len(values))
    places = np.searchsorted(reached, (np.arange(count) + 0.5) / count * reached[-1])
    return tuple(values[order][places].tolist())
