"""Shortcuts beside the long way: the same cell in each block, once with a shortcut and once without.

    python -m tests.benchmarks.shortcuts [--shortcut fork|warm-up|sampling] [--blocks 24] [--frameworks torch:eager,...]
        [--workload rnn_cell] [--task backward] [--batch 1] [--threads 1]

Either processes are forked instead of started fresh, or forked ones warm up for 50 instead of 250 ms, or they take 100
samples of 1 ms instead of 20 of 10 ms. For each mode the script prints the ratio of floors, with the shortcut to
without, with its interval, the spread of each kind between processes, the ratio of first results, and how long a job
takes.
"""

import argparse
import math
import os
import random
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orchestrator.analysis.derivation.samples import compute_floor_ns
from orchestrator.analysis.derivation.start_phases import first_result_ns
from orchestrator.analysis.statistics.intervals import Interval, hodges_lehmann
from orchestrator.execution.artefacts import artefact_suffix, needs_artefact
from orchestrator.execution.classify import find_result
from orchestrator.execution.core_claims import claim_cores
from orchestrator.execution.session import MeasuringSession, open_session
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning.plan import Plan, build_plan
from schemas.artefact import Artefact
from schemas.event import Exported, Report
from schemas.job import Export, JobSpec, Timing
from schemas.sweep import Axes, SweepSpec

MODES = "numpy:eager,torch:eager,torch:trace,torch:script,tensorflow:eager,tensorflow:function,jax:jit"
SIDES = ("short", "full")
FORKED, FRESH = {"start": "template"}, {"start": "fresh"}
SHORTCUTS: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "fork": {"short": FORKED, "full": FRESH},
    "warm-up": {
        "short": FORKED | {"timing": Timing(warmup_min_ns=50_000_000)},
        "full": FORKED | {"timing": Timing(warmup_min_ns=250_000_000)},
    },
    "sampling": {
        "short": FORKED | {"timing": Timing(samples=100, sample_ns=1_000_000)},
        "full": FORKED | {"timing": Timing(samples=20, sample_ns=10_000_000)},
    },
}
ALPHA = 0.05


class Arm(NamedTuple):
    """One job: its report, and its duration in seconds."""

    report: Report
    took_s: float


@dataclass(frozen=True)
class JobMaker:
    """The jobs of each block: every cell on both sides."""

    planned: Plan
    shortcut: Mapping[str, Mapping[str, object]]
    cores: Sequence[int]
    artefacts: Mapping[str, Artefact]

    def make_block(self, block: int) -> dict[tuple[str, str], JobSpec]:
        """Make the jobs of a block, by label and side."""
        return {
            (cell.label, side): self.planned.build_job(cell, block, 0).model_copy(
                update={"cpus": self.cores, "artefact": self.artefacts.get(cell.label)} | dict(changes)
            )
            for cell in self.planned.runnable
            if not cell.replica
            for side, changes in self.shortcut.items()
        }


def main() -> None:
    """Measure all modes, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shortcut", choices=SHORTCUTS, default="fork")
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--frameworks", default=MODES)
    parser.add_argument("--workload", default="rnn_cell")
    parser.add_argument("--task", default="backward")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    axes = Axes(
        frameworks=tuple(asked.frameworks.split(",")),
        workloads=(asked.workload,),
        tasks=(asked.task,),
        batch=(asked.batch,),
        threads=(asked.threads,),
        environment=("current",),
    )
    planned = build_plan(SweepSpec(axes=axes), affinity.list_cores())
    machine = fingerprint.take_fingerprint()
    print(
        f"{asked.shortcut}; {machine.cpu}, {machine.cores} cores; {asked.workload} {asked.task}, batch: {asked.batch}, "
        f"threads: {asked.threads}, load: {os.getloadavg()[0]:.1f}"
    )
    with (
        claim_cores(asked.threads, Path(tempfile.gettempdir())) as claim,
        open_session(claim.cores, planned.environments) as session,
        tempfile.TemporaryDirectory() as folder,
    ):
        artefacts = export_models(session, planned, tuple(sorted(claim.cores)), Path(folder))
        jobs = JobMaker(planned, SHORTCUTS[asked.shortcut], tuple(sorted(claim.cores)), artefacts)
        found = [*measure_blocks(session, jobs, asked.blocks)]
    print(f"{'':24}{'floor, short/full':>26}{'spread short':>15}{'full':>8}{'first result':>14}{'job':>18}")
    for label in found[0]:
        print_mode(label, [block[label] for block in found if label in block])


def export_models(session: MeasuringSession, planned: Plan, cores: Sequence[int], folder: Path) -> dict[str, Artefact]:
    """Export the models of the frameworks that build none, by label."""
    made = {}
    for cell in planned.runnable:
        if needs_artefact(cell, planned.workloads[cell.workload]):
            purpose = Export(path=str(folder / f"{cell.id}{artefact_suffix(cell)}"))
            job = planned.build_job(cell, 1, 0).model_copy(update={"cpus": cores, "purpose": purpose})
            exported = find_result(job, session.launcher(job, folder / "log", lambda event: None))
            assert isinstance(exported, Exported), exported
            made[cell.label] = exported.artefact
    return made


def measure_blocks(session: MeasuringSession, jobs: JobMaker, blocks: int) -> Iterator[dict[str, dict[str, Arm]]]:
    """Yield what each block came to, until a signal ends it."""
    for block in range(1, blocks + 1):
        done = measure_block(session, jobs.make_block(block))
        if session.interrupts.received is not None:
            return
        yield done


def measure_block(session: MeasuringSession, jobs: Mapping[tuple[str, str], JobSpec]) -> dict[str, dict[str, Arm]]:
    """Run the jobs of a block, by label and side, in random order."""
    session.templates.open_block(jobs.values())
    done: dict[str, dict[str, Arm]] = {}
    for (label, side), job in random.sample([*jobs.items()], len(jobs)):
        arm = run_job(session, job)
        if arm is not None and arm.report.forked == (job.start == "template"):
            done.setdefault(label, {})[side] = arm
    return {label: arms for label, arms in done.items() if len(arms) == len(SIDES)}


def run_job(session: MeasuringSession, job: JobSpec) -> Arm | None:
    """Run a job, and return its report; None if a signal came."""
    with tempfile.TemporaryDirectory() as folder:
        ending = session.launcher(job, Path(folder) / "log", lambda event: None)
    report = find_result(job, ending)
    if session.interrupts.received is not None:
        return None
    assert isinstance(report, Report), ending
    return Arm(report, ending.wall_ns / 1e9)


def print_mode(label: str, pairs: Sequence[dict[str, Arm]]) -> None:
    """Print what a mode's pairs came to."""
    if len(pairs) < 6:
        print(f"{label:24}has too few pairs: it is not forked, or there were too few blocks")
        return
    logs = {side: [math.log(compute_floor_ns(pair[side].report)) for pair in pairs] for side in SIDES}
    firsts = {side: [math.log(first_result_ns(pair[side].report)) for pair in pairs] for side in SIDES}
    spread = [statistics.stdev(logs[side]) for side in SIDES]
    took = " / ".join(f"{statistics.median(pair[side].took_s for pair in pairs):.2f}" for side in SIDES)
    floor, first = (compare_sides(each) for each in (logs, firsts))
    print(
        f"{label:24}{floor.estimate:8.3f} ({floor.low:.3f} to {floor.high:.3f}){spread[0]:14.1%}{spread[1]:8.1%}"
        f"{first.estimate:14.2f}{took:>16} s",
        flush=True,
    )


def compare_sides(logs: dict[str, list[float]]) -> Interval:
    """Return the ratio of short to full with its interval over blocks."""
    differences = [short - full for short, full in zip(logs["short"], logs["full"], strict=True)]
    return hodges_lehmann(differences, ALPHA).exp()


if __name__ == "__main__":
    main()
