"""`share`: the blocks of a sweep that this node measures for the head of a run. A command for programs."""

import contextlib
import dataclasses
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from orchestrator.cli.core_claims import claim_for_plan
from orchestrator.cli.execution import provision_plan
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import UsageError
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.planned_run import PartOfRun, PlannedRun, make_manifest
from orchestrator.execution.shares.returns import FolderReturn, Pulse, Return, StreamReturn
from orchestrator.execution.shares.share_plan import check_code, complete_share_plan, rebuild_share_plan
from orchestrator.execution.shares.surroundings import choose_home, clear_variables, hide_gpus
from orchestrator.execution.sweep_events import BlockEnded, JobEnded, SweepEvent
from orchestrator.files.toml import shorten_value
from orchestrator.machine import fingerprint
from orchestrator.processes.descendants import make_temporary_folder
from orchestrator.processes.signals import Interrupts, call_on_signals
from orchestrator.records.share_store import ShareStore
from schemas.record import JobRecord, Placement
from schemas.share import Lease, ShareEnd, ShareSpec

# No request is as long.
MAX_SPEC_BYTES: Final = 16 << 20
STANDARD_INPUT: Final = 0
STANDARD_OUTPUT: Final = 1
STANDARD_ERROR: Final = 2


class ShareStopped(Exception):
    """A signal has stopped the share before its first job."""


def measure_requested_share(node: str) -> ExitCode:
    """Measure the share that one line of standard input asks for, and hand its blocks over to the head."""
    spec = parse_spec(read_line(STANDARD_INPUT))
    named = node or socket.gethostname()
    with open_return(spec) as way:
        if not way.take_lease(Lease(node=named, pid=os.getpid())):
            raise UsageError(
                f"attempt {spec.attempt} at share {spec.share} has begun before or was withdrawn; `resume` on the head "
                "hands out what is missing"
            )
        with Pulse(way, lifeline=None if spec.folder else STANDARD_INPUT):
            end = measure_or_explain(spec, named, way)
            way.state_end(end)
    if end.how == "failed":
        raise UsageError(end.reason)
    return ExitCode.FINE if end.how == "finished" else ExitCode.INTERRUPTED


def read_line(descriptor: int) -> bytes:
    """Read one line, and nothing beyond it: the end of what follows has a meaning."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) <= MAX_SPEC_BYTES and (byte := os.read(descriptor, 1)):
        line += byte
    return bytes(line)


def parse_spec(line: bytes) -> ShareSpec:
    """Parse the request for a share.

    Raises:
        UsageError: it is none of this version.
    """
    try:
        return ShareSpec.model_validate_json(line)
    except ValueError as error:
        said = shorten_value(line[:60].decode(errors="replace"))
        raise UsageError(
            f"standard input has no request for a share of this version, but {said}; install the same version on every "
            "node"
        ) from error


@contextlib.contextmanager
def open_return(spec: ShareSpec) -> Iterator[Return]:
    """Open the way back to the head. On a stream, everything else that is printed goes to standard error."""
    if spec.folder:
        yield FolderReturn(ShareStore(Path(spec.folder)))
        return
    stream = os.dup(STANDARD_OUTPUT)
    os.dup2(STANDARD_ERROR, STANDARD_OUTPUT)
    with make_temporary_folder() as folder:
        store = ShareStore(folder.joinpath(spec.name))
        store.make_folders()
        yield StreamReturn(store, stream)


def measure_or_explain(spec: ShareSpec, node: str, way: Return) -> ShareEnd:
    """Measure the share, and return how that ended."""
    try:
        return measure_share(spec, node, way)
    except ShareStopped:
        return ShareEnd(how="interrupted", reason="stopped before its first job")
    except UsageError as error:
        return ShareEnd(how="failed", reason=str(error))
    except OSError as error:
        return ShareEnd(how="failed", reason=f"{error.filename or 'output'}: {error.strerror}")


def measure_share(spec: ShareSpec, node: str, way: Return) -> ShareEnd:
    """Measure the blocks of a share with the code that measures a sweep on this machine."""
    console = Console(stderr=True)
    with call_on_signals(stop_share), contextlib.ExitStack() as stack:
        clear_variables(os.environ, spec.keep)
        hide_gpus(os.environ, spec.gpus)
        choose_home(os.environ, spec.home)
        check_code(spec)
        machine = fingerprint.take_fingerprint()
        provisioned = provision_plan(rebuild_share_plan(spec), console)
        if provisioned is None:
            return ShareEnd(how="interrupted", reason="stopped while environments were created")
        planned = complete_share_plan(provisioned, spec)
        runs = way.store.folder.parent
        claim = stack.enter_context(claim_for_plan(planned, machine, runs, console, wait=True))
        planned = dataclasses.replace(planned, cores=claim.cores)
        environments = stack.enter_context(planned.environments.hold_for_cells(planned.cells_to_start))
        manifest = make_manifest(planned, machine, datetime.now().astimezone(), ("share",), environments)
        placement = Placement(node=node, share=spec.share, attempt=spec.attempt)
        part = PartOfRun(first_block=spec.first, placement=placement)
        run = PlannedRun(folder=way.store.run, plan=planned, manifest=manifest, known={}, part=part)
        run.write_manifest()
        way.describe_run()
        with Interrupts() as interrupts:
            closer = BlockCloser(way, spec.first)
            ended, early = run.measure(interrupts, contextlib.nullcontext(closer), Keyboard())
    if early:
        return ShareEnd(how="interrupted", reason=ended.manifest.stopped)
    closer.close_blocks(spec.last)
    return ShareEnd(how="finished", reason=ended.manifest.stopped)


def stop_share() -> None:
    """End the preparation of a share."""
    raise ShareStopped


@dataclass(slots=True)
class BlockCloser:
    """The hand-over of each block as soon as its last job has ended."""

    way: Return
    next_block: int
    records: list[JobRecord] = field(default_factory=list)

    def __call__(self, event: SweepEvent) -> None:
        """Keep a record, or hand over the block that has ended."""
        match event:
            case JobEnded(record):
                self.records.append(record)
            case BlockEnded(block):
                self.close_blocks(block)
            case _:
                pass

    def close_blocks(self, last: int) -> None:
        """Hand over all blocks up to this one; those for which no cell was left have no records."""
        for block in range(self.next_block, last + 1):
            self.way.close_block(block, [each for each in self.records if each.spec.block == block])
            self.next_block = block + 1
        self.records.clear()
