"""Measure what the head of a run on many nodes costs: CPU for each block and share, and memory.

    python tests/benchmarks/many_shares.py                          # 10, 100 and 1,000 nodes, 100 blocks each
    python tests/benchmarks/many_shares.py --nodes 4 40 --blocks 10

The nodes are doubles in this process, which write the files of a share as real ones do. Their time is subtracted. The
clock is simulated, and moves only while the head waits.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from orchestrator.execution.shares import EngineState, Number, Place
from orchestrator.execution.shares.collector import make_collector
from orchestrator.execution.shares.dispatcher import Dispatcher
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from orchestrator.records.share_store import ShareStore, hash_bytes
from orchestrator.records.store import job_name
from schemas.record import Identity, JobRecord, Placement
from schemas.share import ShareSpec
from schemas.sweep import SweepSpec
from tests.conftest import a_report
from tests.orchestrator.conftest import HOST, NOON, a_cell, a_spec

CELL = a_cell("numpy:eager")
SWEEP, IDENTITY = SweepSpec(), Identity(sweep="s", code="c")
BLOCK_S = 60.0
# A text that is replaced in the record of which all others are copies: a model for each would cost more than the head.
NODE, BLOCK, SHARE = "NODE", 987_654_321, 123_456


def make_template() -> str:
    """Return the record of a job, with marks for its block, node and share."""
    report, spec = a_report(), a_spec(CELL, BLOCK)
    placed = Placement(node=NODE, share=SHARE, attempt=1)
    return JobRecord(outcome="measured", spec=spec, result=report, host=HOST, placement=placed).model_dump_json(
        indent=1
    )


@dataclass
class SimulatedNodes:
    """An engine with this number of nodes, on each of which a block takes a minute, more or less."""

    nodes: int
    rng: random.Random = field(default_factory=partial(random.Random, 1))
    now_s: float = 0.0
    own_cpu_s: float = 0.0
    questions: int = 0
    due: dict[Number, tuple[ShareStore, ShareSpec, int, float]] = field(default_factory=dict)
    template: str = field(default_factory=make_template)

    def clock(self) -> float:
        """Return the simulated time."""
        return self.now_s

    def list_places(self) -> Sequence[Place]:
        """Return one place for all nodes."""
        return [Place("", self.nodes)]

    def start_attempts(self, attempts: Sequence[ShareStore], place: Place) -> None:
        """Begin shares."""
        del place
        began = time.process_time()
        for attempt in attempts:
            spec = attempt.read_spec()
            (attempt.folder / "lease.json").write_text(f'{{"node":"n{spec.share}","pid":1}}')
            self.due[attempt.number] = (attempt, spec, spec.first, self.now_s + self._draw_s())
        self.own_cpu_s += time.process_time() - began

    def _draw_s(self) -> float:
        return BLOCK_S * self.rng.uniform(0.8, 1.2)

    def ask_states(self, attempts: Sequence[ShareStore]) -> Mapping[Number, EngineState]:
        """Return that all shares run, except those that have ended."""
        self.questions += 1
        running, gone = EngineState("running"), EngineState("gone")
        return {each.number: running if each.number in self.due else gone for each in attempts}

    def cancel_attempts(self, attempts: Sequence[ShareStore], *, kill: bool) -> None:
        """Do nothing: no share has to be cancelled."""

    def fetch_files(self, attempt: ShareStore) -> None:
        """Do nothing: the files are there."""

    def pass_time(self, seconds: float, interrupts: Interrupts | None = None) -> None:
        """Let the time pass, and the nodes measure."""
        del interrupts
        began = time.process_time()
        self.now_s += seconds
        for number, (attempt, spec, block, due_s) in list(self.due.items()):
            attempt.renew_lease()
            while due_s <= self.now_s and block <= spec.last:
                self._write_block(attempt, spec, block)
                block, due_s = block + 1, due_s + self._draw_s()  # noqa: PLW2901
            self.due[number] = (attempt, spec, block, due_s)
            if block > spec.last:
                (attempt.folder / "end.json").write_text('{"how":"finished"}')
                del self.due[number]
        self.own_cpu_s += time.process_time() - began

    def _write_block(self, attempt: ShareStore, spec: ShareSpec, block: int) -> None:
        text = self.template.replace(str(BLOCK), str(block)).replace(NODE, f"n{spec.share}")
        content = text.replace(str(SHARE), str(spec.share)).encode()
        name = f"{job_name(a_spec(CELL, block))}.json"
        (attempt.folder / "jobs" / name).write_bytes(content)
        closed = {"block": block, "records": {name: hash_bytes(content)}}
        (attempt.folder / "closed" / f"{block}.json").write_text(json.dumps(closed))

    def end_processes(self) -> None:
        """Do nothing: nothing runs."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a head. Memory is the growth of the process's peak meanwhile."""

    nodes: int
    blocks: int
    head_cpu_s: float
    looks: int
    grown_mib: float
    whole: bool

    @property
    def block_ms(self) -> float:
        """The CPU time of the head for each block."""
        return 1e3 * self.head_cpu_s / self.blocks

    @property
    def share_ms(self) -> float:
        """The CPU time of the head for each share."""
        return 1e3 * self.head_cpu_s / self.nodes


def make_share(first: int, last: int, share: int) -> ShareSpec:
    """Make the request for a share."""
    return ShareSpec(run="many", share=share, attempt=1, first=first, last=last, sweep=SWEEP, seed=1, identity=IDENTITY)


def measure_head(folder: Path, nodes: int, blocks: int) -> Cost:
    """Run the head of a run with a share of this size on each node, and return its cost."""
    run = store.create_run(folder, "many", NOON)
    engine, collector = SimulatedNodes(nodes), make_collector(run, frozenset({CELL.id}), lambda _: None)
    ranges = ((share, 1 + blocks * (share - 1), blocks * share) for share in range(1, nodes + 1))
    waiting = deque[Callable[[], ShareSpec]](partial(make_share, first, last, share) for share, first, last in ranges)
    head = Dispatcher(run, engine, collector, 120.0, waiting, engine.list_places(), clock=engine.clock)
    before_mib, began = read_peak_mib(), time.process_time()
    head.follow_shares(Interrupts(), lambda _rows, _waiting: None)
    spent_s = time.process_time() - began - engine.own_cpu_s
    names = {path.name for path in run.jobs_folder.iterdir()}
    whole = not head.failed and len(names) == nodes * blocks and not collector.taken.list_missing(nodes * blocks)
    return Cost(nodes, nodes * blocks, spent_s, engine.questions, read_peak_mib() - before_mib, whole)


def read_peak_mib() -> float:
    """Return the peak of this process's resident memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_costs(costs: Iterable[Cost]) -> None:
    """Print a line for each number of nodes."""
    print("nodes   blocks  CPU/block  CPU/share   looks  memory grown  whole")
    for cost in costs:
        print(
            f"{cost.nodes:5} {cost.blocks:8} {cost.block_ms:7.2f} ms {cost.share_ms:7.1f} ms {cost.looks:7} "
            f"{cost.grown_mib:9.1f} MiB  {cost.whole}",
            flush=True,
        )


def main() -> None:
    """Measure heads of growing runs."""
    options = argparse.ArgumentParser()
    options.add_argument("--nodes", type=int, nargs="+", default=[10, 100, 1000])
    options.add_argument("--blocks", type=int, default=100, help="blocks of a share")
    options.add_argument("--folder", type=Path, help="where the runs are written (default: a temporary folder)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        print_costs(measure_head(Path(folder) / str(nodes), nodes, given.blocks) for nodes in given.nodes)


if __name__ == "__main__":
    main()
