"""A companion: a further process of a cell, which answers requests beside the worker that has started it."""

import gc
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from schemas.companion import Ready, Round, Served
from schemas.job import JobSpec
from workers.failures import make_failure
from workers.measurement.phases import Ledger
from workers.measurement.stopwatch import Stopwatch, carry_out
from workers.measurement.throughput import Client, call_clients, call_from, describe_calls, pause_collection
from workers.problem.location import resolve_package
from workers.process.channel import Channel
from workers.process.parent_death import die_with_parent
from workers.process.settings import SettingsLog, pin_process, share_cores
from workers.session import Session, begin_step, complete_session, start_framework


def serve_rounds() -> None:
    """Read the spec, prepare and warm up the step, and answer each round that standard input asks for."""
    channel, spec = Channel.claim(), None
    gc.freeze()  # as a worker does before it imports its framework
    die_with_parent(int(os.environ["PLUMBLINE_PARENT"]))
    try:
        spec = JobSpec.model_validate_json(sys.stdin.buffer.readline())
        session, client = prepare_client(spec)
        share_cores(spec.shared_cpus)
        channel.send(Ready())
        for line in iter(sys.stdin.buffer.readline, b""):
            for served in answer_round(session, client, Round.model_validate_json(line)):
                channel.send(served)
    except Exception as error:  # whatever a framework raises becomes the last answer
        traceback.print_exc()
        channel.send(make_failure(error, spec))
    os._exit(0)


def prepare_client(spec: JobSpec) -> tuple[Session, Client]:
    """Prepare the step as a measuring job does, on the cores of the cell, and warm it up."""
    pin_process(spec)
    ledger, package = Ledger(lambda _: None, reads_memory=False), resolve_package(spec)
    framework = start_framework(spec, package, ledger, SettingsLog())
    session = complete_session(spec, package, framework, ledger)
    step = begin_step(spec, session, ledger)
    watch = Stopwatch(step, session.input_sets, framework.synchronise)
    carry_out(watch.warm_up(spec.timing.warmup_min_ns, spec.timing.longest_warm_up_ns))
    # Not in step with the other processes.
    return session, Client(step, framework.synchronise, session.input_sets, os.getpid())


def answer_round(session: Session, client: Client, asked: Round) -> Iterator[Served]:
    """Let the clients of a round call, save what the last call of each has returned, and yield the answers."""
    if asked.threads:
        made = call_clients(session.framework, client.step, client.input_sets, asked.threads)
    else:
        with pause_collection():
            made = [call_from(client, asked.begin_ns)]
    for number, calls in enumerate(made):
        path = Path(tempfile.gettempdir(), f"companion-{os.getpid()}-{number}.npz")
        np.savez(path, *session.framework.to_numpy(calls.outputs))
        yield Served(begin_ns=asked.begin_ns, client=describe_calls(calls, calls.number), results=str(path))
