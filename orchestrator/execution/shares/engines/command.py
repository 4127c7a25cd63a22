"""Shares by a command for each, such as `ssh {node} {command}`. The command runs as long as its share."""

import contextlib
import os
import selectors
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.execution.event_stream import MessageFeed
from orchestrator.execution.shares import EngineState, Number, Place
from orchestrator.execution.shares.cluster_settings import refuse_slurm_settings, split_words
from orchestrator.execution.shares.share_command import fill_template, make_share_command
from orchestrator.execution.shares.stream_reader import StreamReader
from orchestrator.processes.process import (
    APPEND_FLAGS,
    Process,
    kill_process_group,
    open_log,
    signal_process_group,
    start_process,
)
from orchestrator.processes.signals import Interrupts, format_signal
from orchestrator.records.share_store import ShareStore
from schemas.cluster import Cluster
from schemas.share import ShareSpec

COMMAND: Final = "{command}"
NODE: Final = "{node}"

# The most that a node may send: of each record a few attempts, and signs of life for weeks.
RECORD_BYTES: Final = 4 << 20
LEAST_STREAM_BYTES: Final = 64 << 20


@dataclass(slots=True)
class Child:
    """The command of one attempt. Its standard input stays open: on a stream, its end tells the node to stop."""

    process: Process
    feed: MessageFeed | None


@dataclass(slots=True)
class CommandEngine:
    """The engine of a command template."""

    cluster: Cluster
    cells: int
    _children: dict[Number, Child] = field(default_factory=dict)
    _readers: dict[Number, StreamReader] = field(default_factory=dict)
    _template: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._template = split_words(self.cluster.on, "on")
        refuse_slurm_settings(self.cluster, "put it into the command instead")
        make_share_command(self.cluster)
        if shutil.which(self._template[0]) is None:
            raise UsageError(f"--on: there is no program {self._template[0]!r}; install it, or name another")

    def list_places(self) -> Sequence[Place]:
        """Return the nodes by name, or a number of shares at once where the command chooses the node."""
        nodes = self.cluster.nodes
        names = nodes if isinstance(nodes, tuple) else ()
        if NODE in self.cluster.on:
            if not names:
                raise UsageError(f"--on {self.cluster.on!r} needs the names of nodes: --nodes a,b,c")
            return [Place(name, 1) for name in dict.fromkeys(names)]
        if names:
            raise UsageError(f"--on {self.cluster.on!r} has no place for the names of nodes; write {NODE} in it")
        return [Place("", nodes if isinstance(nodes, int) else 1)]

    def start_attempts(self, attempts: Sequence[ShareStore], place: Place) -> None:
        """Start a command for each attempt."""
        for store in attempts:
            spec = store.read_spec()
            words = fill_template(self._template, place.name, make_share_command(self.cluster, place.name))
            output = store.log_path if spec.folder else store.stream_path
            with open_log(output, APPEND_FLAGS) as stdout, open_log(store.log_path, APPEND_FLAGS) as stderr:
                process = start_process(words, os.environ, stdout=stdout, stderr=stderr, feed=True)
            assert process.stdin is not None
            message = spec.model_dump_json().encode() + b"\n"
            self._children[store.number] = Child(process, MessageFeed(process.stdin, message))

    def ask_states(self, attempts: Sequence[ShareStore]) -> Mapping[Number, EngineState]:
        """Return the states of the commands; one of an earlier head has ended with it."""
        return {store.number: self._find_state(store) for store in attempts}

    def _find_state(self, store: ShareStore) -> EngineState:
        child, is_stream = self._children.get(store.number), store.stream_path.exists()
        if child is None:
            return EngineState("gone", reason="the head that had started its command has ended", is_final=is_stream)
        if (status := child.process.poll()) is None:
            return EngineState("running")
        return EngineState("gone", reason=describe_status(status), is_final=is_stream)

    def cancel_attempts(self, attempts: Sequence[ShareStore], *, kill: bool) -> None:
        """Close the standard input of commands and terminate those with a shared folder, or kill all."""
        for store in attempts:
            if (child := self._children.get(store.number)) is None:
                continue
            close_input(child)
            if kill:
                kill_process_group(child.process)
            elif not store.stream_path.exists():
                signal_process_group(child.process.pid, signal.SIGTERM)

    def fetch_files(self, attempt: ShareStore) -> None:
        """Unpack what the node of an attempt has sent."""
        if attempt.number not in self._readers:
            self._readers[attempt.number] = StreamReader(attempt, self._limit_bytes(attempt.read_spec()))
        self._readers[attempt.number].read_available()
        child = self._children.get(attempt.number)
        if child is not None and child.process.poll() is not None:
            self._readers[attempt.number].read_available()  # what it has written last

    def _limit_bytes(self, spec: ShareSpec) -> int:
        return LEAST_STREAM_BYTES + RECORD_BYTES * (spec.last - spec.first + 1) * self.cells

    def pass_time(self, seconds: float, interrupts: Interrupts | None = None) -> None:
        """Wait, and meanwhile write the requests that the commands have not read yet."""
        self._forget_ended()
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            if interrupts is not None:
                selector.register(interrupts, selectors.EVENT_READ)
            for child in self._children.values():
                if child.feed is not None:
                    selector.register(child.feed.pipe, selectors.EVENT_WRITE, child)
            while (left := until - time.monotonic()) > 0:
                ready = [key for key, _ in selector.select(left)]
                if any(key.data is None for key in ready):
                    return
                for key in ready:
                    if key.data.feed.write_available():
                        selector.unregister(key.fileobj)
                        key.data.feed = None

    def _forget_ended(self) -> None:
        """Close the pipes of commands that have ended; their state is asked for once more."""
        for child in self._children.values():
            if child.process.poll() is not None:
                close_input(child)

    def end_processes(self) -> None:
        """Kill the commands that still run."""
        for child in self._children.values():
            close_input(child)
            if child.process.poll() is None:
                kill_process_group(child.process)


def close_input(child: Child) -> None:
    """Close the standard input of a command."""
    child.feed = None
    if child.process.stdin is not None:
        with contextlib.suppress(OSError):
            child.process.stdin.close()


def describe_status(status: int) -> str:
    """Describe how a command has ended."""
    return f"its command ended by {format_signal(-status)}" if status < 0 else f"its command exited with {status}"
