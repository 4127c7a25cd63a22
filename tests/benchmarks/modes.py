"""Outcome of every mode on every workload, forward and backward, as one job each, for the table of support.

    python -m tests.benchmarks.modes --env current
    python -m tests.benchmarks.modes --only torch,keras:jax --workloads mlp,rnn
    python -m tests.benchmarks.modes --only mine --not-tried "it was added after the last run of the table"

The jobs are those of a sweep, with its retries. An outcome that noise can cause is tried again in further sweeps. Each
mode has a folder of runs; a cell whose outcome is settled there is not run again, so that an interrupted command
continues where it was. A new folder (--runs) measures all anew. Entries of other cells stay as they are. After each
mode, the data file and the pages are written (see `tests.benchmarks.support`).
"""

import argparse
import contextlib
import dataclasses
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from orchestrator.cli.core_claims import claim_for_plan
from orchestrator.cli.execution import provision_plan
from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.planned_run import PartOfRun, PlannedRun, begin_run, describe_lock_owner
from orchestrator.execution.sweep_events import JobEnded, SweepEvent
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning.plan import Plan, build_plan
from orchestrator.processes.signals import Interrupts
from orchestrator.records.outcomes import ACCUSATIONS, RERUN_OUTCOMES, is_transient
from orchestrator.records.store import list_stores
from orchestrator.registry.frameworks import load_frameworks
from schemas.catalog import WORKER_REQUIREMENTS
from schemas.environment import DEFAULT
from schemas.job import Cell, Timing
from schemas.record import JobRecord, Manifest, Placement
from schemas.sweep import Axes, Stop, SweepSpec
from tests.benchmarks.support import (
    NOT_TRIED,
    ROOT,
    TASKS,
    CellName,
    Entry,
    Support,
    list_all_workloads,
    list_due_cells,
    list_modes,
    name_mode,
    read_support,
    write_support,
)

# Sweeps in which a cell may have an outcome that noise can cause.
ROUNDS: Final = 3

# Jobs of this block are forked from an interpreter that has imported the framework, where that is possible, and are as
# thorough as those of the first block, each of which would import it.
BLOCK: Final = 2
ONLY_PART: Final = PartOfRun(first_block=BLOCK, placement=Placement(node="local", share=1, attempt=1))

# Samples decide on no verdict here: they only have to show if a time is plausible.
TIMING: Final = Timing(samples=20, warmup_min_ns=20_000_000, warmup_max_ns=1_000_000_000)
DEADLINE_S: Final = 600.0
NO_LIMIT_S: Final = 1e6

# With the same weights and inputs, a failure has the same reason each time.
SEED: Final = 1

# Inductor takes the vector instructions of the machine for granted: each job would compile programs to try them, for
# seven seconds, and their result is the same on one machine.
VARIABLES: Final = {"TORCHINDUCTOR_VEC_ISA_OK": "1"}

# Packages of every worker that have no part in the computation.
UNTOLD: Final = {"pydantic", "autograd"}
LONGEST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class Findings:
    """The outcomes of one mode, the versions behind them, and the workloads on which its outcome is not settled."""

    entries: Mapping[CellName, Entry]
    versions: Mapping[str, str]
    unsettled: Sequence[str]


class Interrupted(Exception):
    """A signal has ended a sweep."""


def main() -> None:
    """Run the cells that are asked for, and write the table after each mode."""
    parser = argparse.ArgumentParser(description="Run one job for each cell of the table of support.")
    parser.add_argument("--only", default="", help="frameworks or modes, separated by commas (default: all)")
    parser.add_argument("--workloads", default="", help="workloads, separated by commas (default: those of all suites)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "support", help="the folder for the runs")
    parser.add_argument("--env", default=DEFAULT, help="as for `sweep` (default: the environment of each framework)")
    parser.add_argument("--not-tried", default="", metavar="REASON", help="enter cells without an entry, and run none")
    asked = parser.parse_args()
    os.environ.update(VARIABLES)
    try:
        modes, workloads = choose_modes(asked.only), choose_workloads(asked.workloads)
        if asked.not_tried:
            write_support(enter_untried(read_support(), modes, workloads, asked.not_tried).keep_due())
            return
        for mode in modes:
            found = try_mode(mode, workloads, asked.runs / mode.replace(":", "-"), asked.env)
            support = read_support().add_entries(found.entries, {mode: found.versions} if found.versions else {})
            write_support(support.keep_due())
    except UsageError as error:
        parser.error(str(error))
    except Interrupted:
        sys.exit(130)


def choose_modes(text: str) -> list[str]:
    """Return the names of the modes that a list of frameworks and modes stands for; all for an empty one.

    Raises:
        UsageError: there is no such framework or mode.
    """
    known = [(framework.name, name_mode(framework, mode)) for framework, mode in list_modes()]
    names, wanted = {name for each in known for name in each}, [part for part in text.split(",") if part]
    if unknown := sorted({*wanted} - names):
        raise unknown_name_error("framework or mode", unknown[0], names)
    return [mode for framework, mode in known if not wanted or {framework, mode} & {*wanted}]


def choose_workloads(text: str) -> list[str]:
    """Return the workloads that a list names; all of the suites for an empty one.

    Raises:
        UsageError: no suite has such a workload.
    """
    known, wanted = list_all_workloads(), [part for part in text.split(",") if part]
    if unknown := sorted({*wanted} - {*known}):
        raise unknown_name_error("workload", unknown[0], known)
    return wanted or known


def enter_untried(support: Support, modes: Iterable[str], workloads: Iterable[str], reason: str) -> Support:
    """Return the table with an entry `not tried` for each of these cells that has no entry."""
    chosen, names = {*modes}, {*workloads}
    due = [cell for cell in list_due_cells() if cell.mode in chosen and cell.workload in names]
    missing = {cell: Entry(outcome=NOT_TRIED, reason=reason) for cell in due if cell not in support.entries}
    return support.add_entries(missing, {})


def try_mode(mode: str, workloads: Sequence[str], root: Path, environment: str) -> Findings:
    """Run the cells of a mode that have no settled outcome yet, up to three times, and return what is known of all."""
    untried = dict[CellName, str]()
    for _ in range(ROUNDS):
        found = read_findings(mode, workloads, root)
        tried = {cell.workload for cell in untried}
        if not (left := [workload for workload in found.unsettled if workload not in tried]):
            break
        untried |= run_cells(mode, left, root, environment)
    found = read_findings(mode, workloads, root)
    entries = {cell: Entry(outcome=NOT_TRIED, reason=tidy_reason(reason)) for cell, reason in untried.items()}
    return dataclasses.replace(found, entries={**entries, **found.entries})


def run_cells(mode: str, workloads: Sequence[str], root: Path, environment: str) -> dict[CellName, str]:
    """Run one job for each cell as a sweep does; return the cells whose packages are missing, with the reasons.

    Raises:
        Interrupted: a signal has ended the sweep; its records are kept.
    """
    spec = SweepSpec(
        name="support",
        axes=Axes(frameworks=(mode,), workloads=tuple(workloads), tasks=TASKS, environment=(environment,)),
        timing=TIMING,
        stop=Stop(blocks=BLOCK, budget=NO_LIMIT_S),
        deadline=DEADLINE_S,
        seed=SEED,
    )
    console, machine = Console(stderr=True), fingerprint.take_fingerprint()
    try:
        planned = provision_plan(build_plan(spec, affinity.list_cores()), console)
    except UsageError as error:
        if not str(error).startswith("nothing to run"):
            raise
        return {CellName(mode, workload, task): str(error) for workload in workloads for task in TASKS}
    if planned is None:
        raise Interrupted
    lacking = find_lacking(planned)
    set_aside = {cell.id for cell, _ in lacking}
    kept = tuple(cell for cell in planned.cells if not cell.replica and cell.id not in set_aside)
    planned = dataclasses.replace(planned, cells=kept)
    with (
        claim_for_plan(planned, machine, root, console, wait=True) as claim,
        planned.environments.hold_for_cells(planned.cells_to_start) as environments,
        Interrupts() as interrupts,
    ):
        planned = dataclasses.replace(planned, cores=claim.cores)
        begun = begin_run(planned, machine, root, ("tests.benchmarks.modes",), environments)
        run = dataclasses.replace(begun, part=ONLY_PART)
        with run.folder.hold_lock(describe_lock_owner()):
            measure_run(run, interrupts)
    return {name_cell(cell): reason for cell, reason in lacking}


def find_lacking(planned: Plan) -> list[tuple[Cell, str]]:
    """Return the cells that are refused because packages are missing, which tells nothing about their mode."""
    reasons = [(cell, planned.environments.explain_refusal(cell)) for cell in planned.cells]
    return [(cell, reason) for cell, reason in reasons if reason and planned.refused.get(cell.id) == reason]


def measure_run(run: PlannedRun, interrupts: Interrupts) -> None:
    """Measure a run, with a line on standard output for each job that ends.

    Raises:
        Interrupted: a signal has ended it.
    """
    run.write_manifest()
    _, is_early = run.measure(interrupts, contextlib.nullcontext(print_job), Keyboard())
    if is_early:
        raise Interrupted


def print_job(event: SweepEvent) -> None:
    """Print the outcome of a job that has ended."""
    if isinstance(event, JobEnded):
        record = event.record
        print(" ".join(name_cell(record.spec.cell)), record.outcome, record.reason[:LONGEST_REASON], flush=True)


def name_cell(cell: Cell) -> CellName:
    """Return the name of a cell in the table."""
    return CellName(f"{cell.framework}:{cell.mode}", cell.workload, cell.task)


# Records of the runs of one mode


def read_findings(mode: str, workloads: Sequence[str], root: Path) -> Findings:
    """Read the outcomes of a mode on these workloads from its folder of runs; the newest settled record counts."""
    records, versions = defaultdict[CellName, list[JobRecord]](list), dict[str, str]()
    for place in list_stores(root):
        versions = list_versions(mode, place.read_manifest())
        for record in place.read_records():
            records[name_cell(record.spec.cell)].append(record)
    entries, unsettled = dict[CellName, Entry](), list[str]()
    for workload in workloads:
        chosen = {task: choose_record(records[CellName(mode, workload, task)]) for task in TASKS}
        if any(record is None or is_doubtful(record) for record in chosen.values()):
            unsettled.append(workload)
        entries |= {CellName(mode, workload, task): make_entry(found) for task, found in chosen.items() if found}
    return Findings(entries, versions, unsettled)


def choose_record(records: Sequence[JobRecord]) -> JobRecord | None:
    """Return the newest record whose outcome noise cannot cause, or else the newest that says anything of its cell."""
    told = [record for record in records if record.outcome not in RERUN_OUTCOMES | {"skipped"}]
    settled = [record for record in told if not is_doubtful(record)]
    return next(reversed(settled or told), None)


def is_doubtful(record: JobRecord) -> bool:
    """Return whether a busy machine or a signal may have caused the outcome of a job."""
    return record.outcome in ACCUSATIONS | {"timeout"} or is_transient(record)


def make_entry(record: JobRecord) -> Entry:
    """Return the entry of a record."""
    return Entry(outcome=record.outcome, reason=tidy_reason(record.reason))


def tidy_reason(reason: str) -> str:
    """Return a reason in one line, without folders, addresses and numbers of objects, and without a long tail."""
    text = re.sub(r"(?<![\w.])/(?:[\w.+@-]+/)+", "", " ".join(reason.split()))
    text = re.sub(r"0x[0-9a-f]{6,}|\d{9,}|(?<=_)\d+(?=\[)", "…", text)
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON].rstrip()} …"


def list_versions(mode: str, manifest: Manifest) -> dict[str, str]:
    """Return Python's version and those of a mode's packages, and of its exporter's, in the environments of a run."""
    framework = load_frameworks()[mode.partition(":")[0]]
    wanted = {*framework.reported_distributions, *WORKER_REQUIREMENTS} - UNTOLD
    found = {"python": manifest.host.python}
    for environment in manifest.environments.values():
        found["python"] = environment.python
        found |= {name: version for name, version in environment.packages.items() if name in wanted}
    return found


if __name__ == "__main__":
    main()
