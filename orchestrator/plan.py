"""Expansion of a user's request into cells, and of cells into blocks of jobs. It measures, makes and writes nothing."""

import dataclasses
import itertools
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.analysis.naming import describe_computations, label_cells
from orchestrator.analysis.statistics import LOOKS
from orchestrator.environments import Environments
from orchestrator.environments.definitions import VERSION_SIGN
from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.frameworks import load_frameworks
from orchestrator.host import list_gpus
from orchestrator.workloads import explain_missing_implementation, resolve_workloads
from orchestrator.workloads import load_workloads as known_workloads
from schemas import catalog
from schemas.job import TRAINING_TASKS, WARMUP_MAX_NS, Cell, JobSpec
from schemas.sweep import Axes, CellSelector, SweepSpec
from schemas.workloads import Workload

MAX_CELLS = 10_000
# Weights and inputs are the same in every run, so that runs can be compared.
DATA_SEED = 20261

# Names of axes that differ in a cell.
CELL_FIELDS = {"tasks": "task"}

# Share of a job's time that its warm-up may take.
WARMUP_SHARE = 0.25

# A large budget is no reason to warm up for hours.
MAX_SHARE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a sweep. `refused` are the cells that cannot run here, with the reasons."""

    spec: SweepSpec
    cells: tuple[Cell, ...]
    refused: Mapping[str, str]
    seed: int
    available: tuple[int, ...]
    warnings: tuple[str, ...]
    workloads: Mapping[str, Workload] = field(default_factory=known_workloads, compare=False)
    environments: Environments = field(default_factory=Environments, compare=False)

    @property
    def labels(self) -> Mapping[str, str]:
        """Return each cell's name for a person, by its id."""
        return label_cells(self.cells)

    @property
    def computations(self) -> Mapping[str, str]:
        """Return each cell's computation by its id, in as few words as tell it from the others."""
        return describe_computations(self.cells)

    @property
    def runnable(self) -> tuple[Cell, ...]:
        """Return the cells that are not refused."""
        return tuple(cell for cell in self.cells if cell.id not in self.refused)

    @property
    def cells_to_start(self) -> tuple[Cell, ...]:
        """Return all cells that need a process: those to measure, and those for their expected results."""
        judged = [(cell, self.workloads[cell.workload].reference) for cell in self.runnable]
        referees = (self.find_reference_cell(cell, framework) for cell, framework in judged if framework)
        return (*self.runnable, *{cell.id: cell for cell in referees}.values())

    def find_reference_cell(self, cell: Cell, framework: str) -> Cell:
        """Return this framework's cell that computes another's expected results."""
        return make_reference_cell(cell, framework, self.environments)

    @property
    def warmup_max_ns(self) -> int:
        """Return how long each job may warm up: the user's setting, or a quarter of the job's share of the budget.

        The share lets the sweep reach its first look at the results. The job's deadline caps it.
        """
        if self.spec.timing.warmup_max_ns is not None:
            return self.spec.timing.warmup_max_ns
        jobs = len(self.runnable) * min(LOOKS[0], self.spec.stop.blocks)
        share_s = min(self.spec.stop.budget / max(1, jobs), self.spec.deadline, MAX_SHARE_S)
        return max(WARMUP_MAX_NS, round(WARMUP_SHARE * share_s * 1e9))

    @property
    def cells_to_fill(self) -> tuple[Cell, ...]:
        """Return the cells whose warm cache must be filled before they are measured."""
        return tuple(cell for cell in self.runnable if cell.cache == "warm" and find_mode(cell).cached)

    def order_cells(self, cells: Sequence[Cell], block: int) -> list[Cell]:
        """Return the cells in the random order of one block; the same seed repeats it."""
        return random.Random(f"{self.seed}/{block}").sample(list(cells), len(cells))  # noqa: S311 (order, not secrets)

    def build_job(self, cell: Cell, block: int, position: int, calls: int | None) -> JobSpec:
        """Make one job, with everything that its worker needs. `calls` is per sample; None lets the job find it."""
        framework, parity = load_frameworks()[cell.framework], cell.track == "parity"
        hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if cell.device == "cpu" else {}
        said = {name: text.format(threads=cell.threads) for name, text in framework.variables.items()}
        workload, theirs = self.workloads[cell.workload], self.environments.find(cell.environment).variables
        # Hash seed and padding move data in memory from job to job, so that no cell is lucky every time.
        layout = random.Random(f"{self.seed}/{block}/{cell.id}")  # noqa: S311 (spread, not secrets)
        return JobSpec(
            cell=cell,
            block=block,
            position=position,
            seed=DATA_SEED,
            cpus=choose_cpus(cell.threads, self.available) if parity else self.available,
            # Later ones win: what makes jobs alike overrides the environment's variables.
            variables=dict(theirs) | (said | hidden if parity else {}) | framework.caches.get(cell.cache, {}),
            module=find_mode(cell).module or framework.module,
            folder=workload.folder,
            package=workload.module,
            reference=workload.reference,
            hash_seed=layout.randrange(2**32),
            padding_bytes=layout.randrange(4096),
            timing=self.spec.timing.model_copy(
                update={"calls": calls or self.spec.timing.calls, "warmup_max_ns": self.warmup_max_ns}
            ),
            deadline_s=self.spec.deadline,
            limits=self.spec.limits,
        )


def build_plan(spec: SweepSpec, available: tuple[int, ...]) -> Plan:
    """Plan a sweep for a machine with these cores.

    Raises:
        UsageError: a name, a parameter or a combination does not exist, or nothing is left to run.
    """
    environments, among = Environments(spec.environments), resolve_workloads(list_workload_texts(spec))
    workloads = {workload.name: workload for workload in among.values()}
    cells = expand_axes(spec, environments, among)
    refused = {
        cell.id: reason for cell in cells if (reason := explain_refusal(cell, workloads[cell.workload], environments))
    }
    if len(refused) == len(cells):
        raise UsageError(f"nothing to run: {next(iter(refused.values()))}")
    check_baseline(spec.baseline, cells)
    # A refused cell would leave the sweep without its A/A pair.
    twin = clone_cell(next(cell for cell in cells if cell.id not in refused))
    seed = spec.seed if spec.seed is not None else random.SystemRandom().randrange(2**32)
    doubts = tuple(find_warnings(cells, available))
    return Plan(spec, (*cells, twin), refused, seed, available, doubts, workloads, environments)


def rebuild_plan(spec: SweepSpec, seed: int, available: tuple[int, ...]) -> Plan:
    """Plan a sweep that was begun with this seed.

    Raises:
        UsageError: as in `build_plan`; what existed at the beginning may be gone.
    """
    return dataclasses.replace(build_plan(spec.model_copy(update={"seed": seed}), available), spec=spec)


def list_workload_texts(spec: SweepSpec) -> Iterator[str]:
    """Yield every text of a sweep that names a workload."""
    yield from spec.axes.workloads
    yield from (pick.workload for pick in (*spec.exclude, *spec.include) if pick.workload is not None)


def expand_axes(
    spec: SweepSpec, environments: Environments | None = None, among: Mapping[str, Workload] | None = None
) -> tuple[Cell, ...]:
    """Return all combinations of the axes, minus the excluded and plus the included ones, each cell once.

    `among` are the workloads by the spec's texts. None looks them up, as for the environments.
    """
    environments = environments or Environments(spec.environments)
    among = resolve_workloads(list_workload_texts(spec)) if among is None else among
    # A sweep file of a few lines may have more combinations than fit into the memory.
    every = list(itertools.islice(combine_axes(spec.axes, environments, among), MAX_CELLS + 1))
    if len(every) > MAX_CELLS:
        raise UsageError(f"the axes have more than {MAX_CELLS} combinations, the limit of a sweep; name fewer values")
    kept = [cell for cell in every if not any(matches_pick(cell, pick, environments, among) for pick in spec.exclude)]
    for pick in spec.include:
        kept += combine_axes(widen_axes(spec.axes, pick), environments, among)
    cells = tuple({cell.id: cell for cell in kept}.values())
    if not cells:
        raise UsageError("nothing to run: every combination of the axes is excluded; shorten `exclude`")
    return cells


def combine_axes(axes: Axes, environments: Environments, among: Mapping[str, Workload]) -> Iterator[Cell]:
    """Yield every combination, workload by workload, so that compared cells stand together."""
    modes = [found for text in axes.frameworks for found in parse_framework(text)]
    workloads = (parse_workload(each, among) for text in axes.workloads for each in expand_alternatives(text))
    codes = {workload.name: workload.code for workload in among.values()}
    apart = ("frameworks", "workloads", "environment")
    plain = {CELL_FIELDS.get(name, name): values for name, values in axes if name not in apart}
    for workload, parameters in workloads:
        of = {"workload": workload, "parameters": parameters, "code": codes[workload]}
        for *values, environment in itertools.product(*plain.values(), axes.environment):
            chosen = dict(zip(plain, values, strict=True)) | of
            for framework, mode, version in modes:
                home = environments.resolve_name(version or environment, framework)
                environments.find(home)
                yield Cell.model_validate(chosen | {"framework": framework, "mode": mode, "environment": home})


def find_mode(cell: Cell) -> catalog.Mode:
    """Return the catalog's entry of a cell's mode."""
    return next(mode for mode in load_frameworks()[cell.framework].modes if mode.name == cell.mode)


def parse_framework(text: str) -> list[tuple[str, str, str]]:
    """Parse `torch:script` into one mode, `torch` into all; `tensorflow@2.20` also names an environment."""
    versioned, _, mode = text.partition(":")
    name = versioned.partition(VERSION_SIGN)[0]
    if name not in load_frameworks():
        raise unknown_name_error("framework", name, load_frameworks())
    modes = [mode.name for mode in load_frameworks()[name].modes]
    if mode and mode not in modes:
        raise unknown_name_error(f"mode of {name}", mode, modes)
    environment = versioned if VERSION_SIGN in versioned else ""
    return [(name, each, environment) for each in ([mode] if mode else modes)]


def expand_alternatives(text: str) -> Iterator[str]:
    """Yield two workloads for `rnn:length=8/32` or `matmul:cache/memory`: a parameter or a preset may be an axis."""
    head, *given = text.split(":")
    choices = []
    for item in given:
        key, sign, values = item.rpartition("=")
        choices.append([f"{key}{sign}{value}" for value in values.split("/")])
    if math.prod(len(values) for values in choices) > MAX_CELLS:
        raise UsageError(f"{head}: its parameters have more than {MAX_CELLS} combinations; name fewer values")
    yield from (":".join((head, *chosen)) for chosen in itertools.product(*choices))


def parse_workload(text: str, among: Mapping[str, Workload] | None = None) -> tuple[str, dict[str, int]]:
    """Parse `rnn:length=32:hidden=64` into a workload and its parameters; the others have their defaults.

    `gpt:small:length=64` begins with a preset, and `./mine:length=64` names a folder.
    """
    head, *given = text.split(":")
    workload = (resolve_workloads([text]) if among is None else among)[head]
    name, known = workload.name, {parameter.name: parameter for parameter in workload.parameters}
    values = {parameter.name: parameter.default for parameter in known.values()}
    for item in given:
        key, sign, value = item.partition("=")
        if not sign and key not in known:
            if key not in workload.presets:
                raise unknown_name_error(f"parameter or preset of {name}", key, [*known, *workload.presets])
            values |= workload.presets[key]
            continue
        if key not in known:
            raise unknown_name_error(f"parameter of {name}", key, known)
        if not re.fullmatch(r"[0-9]{1,12}", value) or int(value) < known[key].minimum:
            least, given_as = known[key].minimum, value if len(value) <= 40 else f"{value[:37]}..."
            raise UsageError(f"{name}: {key} must be a whole number of at least {least}, not {given_as!r}")
        values[key] = int(value)
    return name, values


def matches_pick(cell: Cell, pick: CellSelector, environments: Environments, among: Mapping[str, Workload]) -> bool:
    """Return True if a cell has all values that a pick names."""
    if pick.framework is not None and not any(
        (cell.framework, cell.mode) == (framework, mode) and version in ("", cell.environment)
        for framework, mode, version in parse_framework(pick.framework)
    ):
        return False
    if pick.environment is not None and cell.environment != environments.resolve_name(pick.environment, cell.framework):
        return False
    if pick.workload is not None:
        named = (parse_workload(text, among) for text in expand_alternatives(pick.workload))
        loosely = ":" not in pick.workload
        if not any(cell.workload == name and (loosely or cell.parameters == values) for name, values in named):
            return False
    plain = pick.model_dump(exclude={"framework", "workload", "environment"}, exclude_none=True)
    return all(getattr(cell, name) == value for name, value in plain.items())


def widen_axes(axes: Axes, pick: CellSelector) -> Axes:
    """Return the axes of an included cell: its values, and the first of each axis that it does not name."""
    if pick.framework is None or pick.workload is None:
        raise UsageError("include: each entry needs at least a framework and a workload")
    first = {name: values[:1] for name, values in axes}
    named = {"framework": "frameworks", "workload": "workloads", "task": "tasks"}
    own = {named.get(name, name): (value,) for name, value in pick.model_dump(exclude_none=True).items()}
    return Axes.model_validate(first | own)


def explain_refusal(cell: Cell, workload: Workload, environments: Environments) -> str:
    """Explain why a cell cannot run here; empty if it may be tried."""
    framework = load_frameworks()[cell.framework]
    if cell.dtype not in framework.dtypes:
        return f"{cell.framework} does not compute in {cell.dtype}; choose {' or '.join(framework.dtypes)}"
    mode = find_mode(cell)
    if cell.device not in framework.devices:
        return f"{cell.framework} computes on {' and '.join(framework.devices)} here, not on {cell.device}"
    if cell.device == "cuda" and not list_gpus():
        return "this machine has no GPU with NVIDIA's driver"
    if cell.origin == "file" and not mode.saves:
        return f"{cell.framework}:{cell.mode} cannot save a model: {mode.unsaved}"
    if cell.origin == "file" and cell.task in TRAINING_TASKS:
        return "a saved model computes a forward or backward pass, but does not train"
    if cell.task in TRAINING_TASKS and cell.dtype == "bfloat16":
        return f"{cell.task} in bfloat16 loses small changes of weights to rounding; train in float32 or float64"
    if reason := framework.cannot.get(cell.task):
        return f"{cell.framework} does not support {cell.task}: {reason}"
    return (
        explain_missing_implementation(workload, framework)
        or environments.explain_refusal(cell)
        or explain_missing_reference(cell, workload, environments)
    )


def make_reference_cell(cell: Cell, framework: str, environments: Environments) -> Cell:
    """Return the cell that computes another's expected results: the same computation in this framework's eager mode.

    Cells that differ only in how they compute share this cell, and their inputs are drawn as its inputs.
    """
    kept = cell.model_dump(include={"workload", "parameters", "task", "batch", "dtype", "shapes", "code"})
    home = environments.choose_reference_environment(cell, framework)
    return Cell.model_validate(kept | {"framework": framework, "mode": "eager", "environment": home})


def explain_missing_reference(cell: Cell, workload: Workload, environments: Environments) -> str:
    """Explain why a workload's expected results cannot be computed; empty if they can."""
    if not workload.reference:
        return ""
    reason = environments.explain_refusal(make_reference_cell(cell, workload.reference, environments))
    return reason and f"the reference of {workload.name} is {workload.reference} in float64: {reason}"


def check_baseline(baseline: str | None, cells: Sequence[Cell]) -> None:
    """Refuse a baseline that is not one of the sweep's modes."""
    valid = set(label_cells(cells).values())
    if baseline is not None and baseline not in valid:
        raise unknown_name_error("baseline", baseline, valid)


def clone_cell(cell: Cell) -> Cell:
    """Return the A/A clone: the same cell again, which a sound instrument must not find faster or slower."""
    return cell.model_copy(update={"replica": 1})


def choose_cpus(threads: int, available: tuple[int, ...]) -> tuple[int, ...]:
    """Return the worker's cores: one for each thread, from the end, so that the parent keeps the first."""
    return available[-threads:]


def find_warnings(cells: Sequence[Cell], available: tuple[int, ...]) -> Iterator[str]:
    """Yield warnings of settings that are allowed but doubtful."""
    most = max(cell.threads for cell in cells)
    if most > len(available):
        yield f"{most} threads on {len(available)} cores: they wait for each other, and times grow"
