"""Expansion of a user's request into cells, and of cells into blocks of jobs. It measures, makes and writes nothing."""

import dataclasses
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.analysis.statistics.looks import LOOKS, LookRule
from orchestrator.environments.lookup import Environments
from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.planning.axis import check_compared_axis, complete_axis
from orchestrator.planning.estimate import estimate_forked_s, estimate_job_s
from orchestrator.planning.grid import expand_request
from orchestrator.planning.order import derive_data_seed, order_cells
from orchestrator.planning.request import resolve_request
from orchestrator.planning.starts import FRESH_INTERVAL, choose_start, is_thorough_block
from orchestrator.planning.support import explain_refusal, make_reference_cell
from orchestrator.records.axes import list_values
from orchestrator.records.labels import describe_computations, label_cells
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.model_files import get_file_kind
from orchestrator.registry.modes import find_mode
from orchestrator.registry.workloads import load_workloads
from schemas.job import WARMUP_MAX_NS, Cell, JobSpec
from schemas.models import ModelSource
from schemas.record import Extension
from schemas.sweep import SweepSpec
from schemas.tuning import TUNINGS
from schemas.workloads import Workload

# Share of a job's time that its warm-up may take.
WARMUP_SHARE = 0.25

# A large budget is no reason to warm up for hours.
MAX_SHARE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a sweep. `refused` are the cells that cannot run here, with the reasons.

    `available` are the cores that this process may use, `cores` those that its workers take, the first one first. Until
    they are chosen, that is from the end.
    """

    spec: SweepSpec
    cells: tuple[Cell, ...]
    refused: Mapping[str, str]
    seed: int
    available: tuple[int, ...]
    warnings: tuple[str, ...]
    workloads: Mapping[str, Workload] = field(default_factory=load_workloads, compare=False)
    environments: Environments = field(default_factory=Environments, compare=False)
    cores: tuple[int, ...] = ()
    extensions: tuple[Extension, ...] = ()
    """The changes of its end since the run was begun."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Return each cell's name for a person, by its id."""
        return label_cells(self.cells)

    @property
    def computations(self) -> Mapping[str, str]:
        """Return each cell's computation by its id, in as few words as tell it from the others."""
        return describe_computations(self.cells)

    def label_cell(self, cell: Cell) -> str:
        """Return the label of a cell, also of one that only computes the expected results of others."""
        return self.labels.get(cell.id, cell.label)

    def describe_cell(self, cell: Cell) -> str:
        """Return the computation of a cell in a few words, also of one that computes the results of others."""
        return self.computations.get(cell.id, f"{cell.workload} {cell.task}")

    @property
    def runnable(self) -> tuple[Cell, ...]:
        """Return the cells that are not refused."""
        return tuple(cell for cell in self.cells if cell.id not in self.refused)

    @property
    def cells_to_start(self) -> tuple[Cell, ...]:
        """Return all cells that need a process: those to measure, and those for their expected results."""
        judged = [(cell, self.find_workload(cell).reference) for cell in self.runnable]
        referees = (self.find_reference_cell(cell, framework) for cell, framework in judged if framework)
        return (*self.runnable, *{cell.id: cell for cell in referees}.values())

    def find_workload(self, cell: Cell) -> Workload:
        """Return the workload of a cell."""
        return self.workloads[cell.workload_key]

    def find_place(self, cell: Cell) -> str:
        """Return the folder of the user's workload or model behind a cell; empty if it is built in or installed."""
        workload = self.find_workload(cell)
        return workload.source_dir or (find_model_folder(workload.model) if workload.model else "")

    def estimate_job_s(self, cell: Cell, known: Mapping[str, float]) -> float:
        """Estimate the duration of one job of a cell in seconds, from known durations by mode or rough defaults."""
        model = self.find_workload(cell).model
        return estimate_job_s(cell, self.spec.timing, known, model, len(self.available))

    def estimate_block_s(self, known: Mapping[str, float]) -> float:
        """Estimate the duration of a block in seconds: the mean of those that start fresh and those that are forked."""
        jobs = [(cell, self.estimate_job_s(cell, known)) for cell in self.runnable]
        forked = [(cell, job_s) for cell, job_s in jobs if self._is_ever_forked(cell)]
        fresh_s = sum(job_s for _, job_s in jobs)
        if not forked:
            return fresh_s
        saved_s = sum(job_s for _, job_s in forked) - estimate_forked_s(forked, len(self.available))
        return fresh_s - saved_s * (FRESH_INTERVAL - 1) / FRESH_INTERVAL

    def _is_ever_forked(self, cell: Cell) -> bool:
        model = self.find_workload(cell).model
        return any(choose_start(self.spec, cell, model, block) == "template" for block in range(1, FRESH_INTERVAL + 1))

    def find_reference_cell(self, cell: Cell, framework: str) -> Cell:
        """Return this framework's cell that computes another's expected results."""
        return make_reference_cell(cell, framework, self.environments)

    @property
    def looks(self) -> LookRule:
        """Return the part that verdicts have in the end of this sweep."""
        return LookRule(self.spec.stop.until == "verdict", tuple(each.blocks for each in self.extensions))

    @property
    def least_blocks(self) -> int:
        """Return the number of blocks that run whatever the budget and the goal."""
        return self.extensions[-1].least_blocks if self.extensions else 0

    @property
    def warmup_max_ns(self) -> int:
        """Return how long each job may warm up: the user's setting, or a quarter of the job's share of the budget.

        The share lets the sweep reach its first look at the results. The job's deadline caps it.
        """
        if self.spec.timing.warmup_max_ns is not None:
            return self.spec.timing.warmup_max_ns
        # All processes of a run warm up alike, however it was extended.
        stop = self.extensions[0].stop if self.extensions else self.spec.stop
        jobs = len(self.runnable) * min(LOOKS[0], stop.blocks)
        share_s = min(stop.budget / max(1, jobs), self.spec.deadline, MAX_SHARE_S)
        return max(WARMUP_MAX_NS, round(WARMUP_SHARE * share_s * 1e9))

    @property
    def cells_to_fill(self) -> tuple[Cell, ...]:
        """Return the cells whose warm cache must be filled before they are measured."""
        return tuple(cell for cell in self.runnable if cell.cache == "warm" and find_mode(cell).cached)

    @property
    def cores_needed(self) -> int:
        """Return the number of cores that the jobs with the most threads occupy, or clients at once."""
        alone = (len(self.choose_cores(cell)) if cell.track == "parity" else len(self.available) for cell in self.cells)
        return max(len(self.shared_cores), *alone)

    @property
    def shared_cores(self) -> tuple[int, ...]:
        """Return the cores for requests at once, the same for each cell: as many as the most clients have threads."""
        most = max(self.spec.timing.concurrency, default=0) * max(cell.threads for cell in self.cells)
        return tuple(sorted((self.cores or self.available[::-1])[:most]))

    def choose_cores(self, cell: Cell) -> tuple[int, ...]:
        """Return the cores for a cell's threads: one for each, as long as there are enough."""
        return tuple(sorted((self.cores or self.available[::-1])[: cell.threads]))

    @property
    def data_seed(self) -> int:
        """Return the seed of weights and inputs: another one in each run, so that no code can know them beforehand."""
        return derive_data_seed(self.seed)

    def order_cells(self, cells: Sequence[Cell], block: int) -> list[Cell]:
        """Return the cells in the random order of one block; the same seed repeats it."""
        return order_cells(cells, self.seed, block)

    def build_job(self, cell: Cell, block: int, position: int) -> JobSpec:
        """Make one job, with everything that its worker needs."""
        framework, parity = load_frameworks()[cell.framework], cell.track == "parity"
        hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if cell.device == "cpu" else {}
        said = {name: text.format(threads=cell.threads) for name, text in framework.variables.items()}
        workload, theirs = self.find_workload(cell), self.environments.find(cell.environment).variables
        # Hash seed and padding move data in memory from job to job, so that no cell is lucky every time. Those of a
        # forked job are its template's.
        start = choose_start(self.spec, cell, workload.model, block)
        owner = cell.id if start == "fresh" else f"{cell.framework}/{cell.environment}/{cell.replica}"
        layout = random.Random(f"{self.seed}/{block}/{owner}")  # noqa: S311 (spread, not secrets)
        return JobSpec(
            cell=cell,
            block=block,
            position=position,
            seed=self.data_seed,
            # On the track `defaults`, a framework chooses its threads by all the cores that it finds.
            cpus=self.choose_cores(cell) if parity else self.available,
            shared_cpus=self.shared_cores,
            # Later ones win: what makes jobs alike overrides the environment's variables.
            variables=dict(theirs)
            | (said | hidden if parity else {})
            | framework.caches.get(cell.cache, {})
            | find_mode(cell).variables
            | (find_mode(cell).file_variables if cell.origin == "file" else {})
            | TUNINGS[cell.tuning].variables,
            module=find_mode(cell).module or framework.module,
            distributions=framework.reported_distributions,
            source_dir=workload.source_dir,
            package=workload.package,
            model=workload.model,
            reference=workload.reference,
            weights=workload.weights,
            loop=workload.count_calls(cell.parameters),
            hash_seed=layout.randrange(2**32),
            padding_bytes=layout.randrange(4096),
            start=start,
            thorough=is_thorough_block(block),
            timing=self.spec.timing.model_copy(update={"warmup_max_ns": self.warmup_max_ns}),
            deadline_s=self.spec.deadline,
            sandbox=self.spec.sandbox,
            limits=self.spec.limits,
        )


def build_plan(
    spec: SweepSpec, available: tuple[int, ...], environments: Environments | None = None, *, is_elsewhere: bool = False
) -> Plan:
    """Plan a sweep for a machine with these cores. No process is started for that.

    Of a sweep that runs elsewhere, no cell is refused here.

    Raises:
        UsageError: a name, a parameter or a combination does not exist, or nothing is left to run.
    """
    environments = environments or Environments(spec.environments)
    spec = complete_axis(spec, len(available))
    request = resolve_request(spec, environments)
    cells, workloads = expand_request(request), request.workloads
    environments.opened.update(list_opened(workloads))
    here = () if is_elsewhere else cells
    reasons = {cell.id: explain_refusal(cell, workloads[cell.workload_key], environments) for cell in here}
    refused = {cell: reason for cell, reason in reasons.items() if reason}
    if len(refused) == len(cells):
        raise UsageError(f"nothing to run: {next(iter(refused.values()))}")
    check_compared_axis(spec, cells, refused)
    check_baseline(spec, cells)
    check_clients(spec, cells)
    # A refused cell would leave the sweep without its A/A pair.
    twin = clone_cell(next(cell for cell in cells if cell.id not in refused))
    seed = spec.seed if spec.seed is not None else random.SystemRandom().randrange(2**32)
    doubts = tuple(find_warnings(here, available))
    return Plan(spec, (*cells, twin), refused, seed, available, doubts, workloads, environments)


def list_opened(workloads: Mapping[str, Workload]) -> Iterator[tuple[str, str]]:
    """Yield the frameworks that open the file of a model as it is, each with the hash of the file."""
    for workload in workloads.values():
        if (kind := get_file_kind(workload)) is not None:
            yield from ((framework, workload.code) for framework in kind.opened_by)


def rebuild_plan(
    spec: SweepSpec,
    seed: int,
    available: tuple[int, ...],
    environments: Environments | None = None,
    extensions: tuple[Extension, ...] = (),
) -> Plan:
    """Plan a sweep that was begun with this seed, with what is known of its environments and of its extensions.

    Raises:
        UsageError: as in `build_plan`; what existed at the beginning may be gone.
    """
    again = build_plan(spec.model_copy(update={"seed": seed}), available, environments)
    return dataclasses.replace(again, spec=spec, extensions=extensions)


def check_baseline(spec: SweepSpec, cells: Sequence[Cell]) -> None:
    """Refuse a baseline that is neither one of the sweep's modes nor a value of the axis that it compares by."""
    valid = {*label_cells(cells).values(), *map(str, list_values(cells, spec.compare_by))}
    if spec.baseline is not None and spec.baseline not in valid:
        raise unknown_name_error("baseline", spec.baseline, valid)


def check_clients(spec: SweepSpec, cells: Sequence[Cell]) -> None:
    """Refuse clients at once where a call is no request: one that computes gradients, or on a GPU, which they share."""
    other = next((cell for cell in cells if (cell.task, cell.device) != ("forward", "cpu")), None)
    if spec.timing.concurrency and other is not None:
        raise UsageError(
            f"--concurrency measures requests: forward passes on the CPU, and {other.label} is {other.task} on "
            f"{other.device}; choose --tasks forward and --device cpu"
        )


def clone_cell(cell: Cell) -> Cell:
    """Return the A/A clone: the same cell again, which a sound instrument must not find faster or slower."""
    return cell.model_copy(update={"replica": 1})


def find_warnings(cells: Sequence[Cell], available: tuple[int, ...]) -> Iterator[str]:
    """Yield warnings of settings that are allowed but doubtful."""
    most = max((cell.threads for cell in cells), default=0)
    if most > len(available):
        yield f"{most} threads on {len(available)} cores: they wait for each other, and times grow"


def find_model_folder(model: ModelSource) -> str:
    """Return the folder of a user's model; empty if it is imported from an installed package."""
    if model.file:
        return str(Path(model.file).parent)
    package = Path(model.folder, model.module.partition(".")[0])
    return model.folder if package.is_dir() or package.with_suffix(".py").is_file() else ""
