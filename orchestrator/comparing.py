"""Two runs, or two environments of one run, brought together: which cells both have, and what a comparison rests on.

Cells are matched by their content, without the environment: what is installed there may be what is compared.
"""

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator import identity, store
from orchestrator.analysis.disturbance import canary_floor_ns
from orchestrator.analysis.drift import FEWEST_OTHERS, Drift, drift
from orchestrator.analysis.memory import MEANING
from orchestrator.analysis.memory import scores as memory_scores
from orchestrator.analysis.results import blocks, counted, counting, result, score, title
from orchestrator.analysis.runs import Change, Ground, Pair, Side, changes
from orchestrator.analysis.turns import alternating, beside
from orchestrator.attempts import last_attempts
from orchestrator.errors import UsageError, unknown
from orchestrator.frameworks import known
from orchestrator.moments import moment
from schemas.job import Cell
from schemas.record import JobRecord, Manifest

SOFTWARE = ("python", "packages", "installed", "variables")
"""What of a host is no machine: it may be what is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One side: the cells of a run in one environment, each by its content, with its records."""

    name: str
    folder: Path
    manifest: Manifest
    cells: Mapping[str, Cell]
    records: Mapping[str, Sequence[JobRecord]]
    fastest_canary_ns: float

    @property
    def canary_ns(self) -> float:
        """The median over all processes of each one's fastest canary; not a number if none sang."""
        reports = [record.report for each in self.records.values() for record in each if record.report is not None]
        sung = [min(report.noise.canary_ns) for report in reports if report.noise.canary_ns]
        return statistics.median(sung) if sung else math.nan

    def begun(self) -> dict[int, float]:
        """When the first job of each block was started, in seconds."""
        starts: dict[int, float] = {}
        for record in (record for each in self.records.values() for record in each if record.spec.block):
            if record.outside and (began := moment(record.outside.started)):
                at, block = began.timestamp(), record.spec.block
                starts[block] = min(at, starts.get(block, at))
        return starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two sides, and what came of comparing them.

    `together` is how all cells moved from one run to the other. `machines` and `software` say what is not the same
    there, `missing` which cells were not measured on both sides; each in words.
    """

    before: Half
    after: Half
    ground: Ground
    changes: tuple[Change, ...]
    together: Drift | None
    machines: tuple[str, ...]
    software: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def apart_s(self) -> float | None:
        """How long after the first run the second was begun; None if they do not say."""
        first, second = moment(self.before.manifest.started), moment(self.after.manifest.started)
        return None if first is None or second is None else (second - first).total_seconds()

    @property
    def canary(self) -> float:
        """The ratio of their canaries; not a number if one had none."""
        return self.after.canary_ns / self.before.canary_ns


def compare(
    root: Path, one: str, other: str, *, unchanged: Sequence[str] = (), at_face_value: bool = False
) -> Compared:
    """Read two sides and compare them. `unchanged` names what is known not to have changed.

    Raises:
        UsageError: one does not exist or is not clear, both are the same, they have no cell in common, or too few cells
            are unchanged to show what the runs did.
    """
    before, after = half(root, one), half(root, other)
    if before.name == after.name:
        raise UsageError(f"{one} and {other} are one run; name two runs, or two of its environments: RUN@one RUN@other")
    common = [name for name in before.cells if name in after.cells]
    if not common:
        raise UsageError(f"{before.name} and {after.name} have no cell in common: nothing can be compared")
    machines = tuple(differences(before, after, software=False))
    turns = side_by_side(before, after, machines)
    ground = grounds(turns, machines, at_face_value=at_face_value)
    pairs = [pair(before.cells[name], side(before, name), beside_it(side(after, name), turns)) for name in common]
    ready = controlled([each for each in pairs if measured(each)], unchanged)
    found = changes(ready, ground, after.manifest.sweep.margin)
    left = [unmeasured(each) for each in pairs if not measured(each)]
    return Compared(
        before=before, after=after, ground=ground, changes=found, together=together(found), machines=machines,
        software=tuple(dict.fromkeys([*versions(ready), *differences(before, after, software=True)])),
        missing=(*alone(before, after), *alone(after, before), *left),
    )  # fmt: skip


def half(root: Path, text: str) -> Half:
    """The side that a run's name, path or part stands for; with `@` and an environment, where it has several.

    Raises:
        UsageError: there is no such run or environment, or cells are in several.
    """
    name, _, environment = text.rpartition("@") if "@" in text and not Path(text).exists() else (text, "", "")
    run = store.find(root, name)
    manifest, records = run.manifest(), last_attempts(run.records())
    there = sorted({cell.environment for cell in manifest.cells})
    if environment and environment not in there:
        raise unknown(f"environment of {run.name}", environment, there)
    own = [cell for cell in manifest.cells if not cell.replica and environment in ("", cell.environment)]
    cells = {content(cell): cell for cell in own}
    if len(cells) < len(own):
        choice = " or ".join(f"{run.name}@{each}" for each in there)
        raise UsageError(f"{run.name} has the same cells in several environments; say {choice}")
    of_cell = defaultdict(list)
    for record in counted(records):
        of_cell[record.spec.cell.id].append(record)
    return Half(
        name=f"{run.name}@{environment}" if environment else run.name, folder=run.folder.resolve(), manifest=manifest,
        cells=cells, records={name: of_cell[cell.id] for name, cell in cells.items()},
        fastest_canary_ns=canary_floor_ns(records),
    )  # fmt: skip


def content(cell: Cell) -> str:
    """What a cell is, whatever environment it ran in."""
    return json.dumps(cell.model_dump(mode="json", exclude={"environment", "replica"}), sort_keys=True)


def side(half: Half, name: str) -> Side:
    """What one side says of one cell."""
    records = half.records[name]
    reports = dict(blocks(counting(records)))
    logs = {metric: memory_scores(reports, metric) for metric in MEANING}
    return Side(
        result=result(half.cells[name], records, half.fastest_canary_ns), scores=score(records),
        memory={metric: by_block for metric, by_block in logs.items() if by_block},
        computed=frozenset(report.inputs_sha256 for report in reports.values()),
        versions=frozenset(
            (package, version)
            for report in reports.values()
            for package, version in report.versions.items()
            if package.startswith(software(half.cells[name].framework))
        ),
    )  # fmt: skip


def software(framework: str) -> tuple[str, ...]:
    """What the names of the packages begin with on which a framework runs: `jaxlib` is of jax. All, if it is unknown."""
    entry = known().get(framework)
    return (framework, entry.package, *entry.also_needs) if entry else ("",)


def pair(cell: Cell, before: Side, after: Side) -> Pair:
    """Both sides of one cell. While nobody says otherwise, it is a control if its software is the same in both."""
    return Pair(cell=cell, before=before, after=after, control=before.versions == after.versions)


def controlled(pairs: Sequence[Pair], unchanged: Sequence[str]) -> Sequence[Pair]:
    """With those cells as controls that are known not to have changed, if any are named."""
    if not unchanged:
        return pairs
    found = [replace(each, control=not names(each.cell).isdisjoint(unchanged)) for each in pairs]
    if sum(each.control for each in found) < FEWEST_OTHERS:
        raise UsageError(
            f"--unchanged {','.join(unchanged)}: fewer than {FEWEST_OTHERS} measured cells are of that framework, mode "
            "or workload, which is too few to show what the runs did; name more, or leave it out"
        )
    return found


def names(cell: Cell) -> set[str]:
    """The names by which a person may mean a cell: framework, mode, workload."""
    return {cell.framework, cell.label, cell.workload}


def side_by_side(before: Half, after: Half, machines: Sequence[str]) -> dict[int, int] | None:
    """For each of the second side's blocks, that of the first beside which it was run; None if they were not."""
    if before.folder == after.folder:
        return {block: block for block in after.begun()}
    return None if machines else alternating(before.begun(), after.begun())


def beside_it(side: Side, turns: Mapping[int, int] | None) -> Side:
    """The second side with its blocks numbered as those of the first, where they took turns."""
    return side if turns is None else beside(side, turns)


def grounds(turns: Mapping[int, int] | None, machines: Sequence[str], *, at_face_value: bool) -> Ground:
    """What a comparison rests on."""
    if turns is not None:
        return "side by side"
    if at_face_value:
        return "at face value"
    return "on different machines" if machines else "one after the other"


def differences(before: Half, after: Half, *, software: bool) -> Iterator[str]:
    """What is not the same in the two fingerprints, in words: of the software, or of all the rest."""
    one, other = (identity.felt(each.manifest.host) for each in (before, after))
    if not software:
        machines = ({name: host[name] for name in host if name not in SOFTWARE} for host in (one, other))
        yield from identity.differences("", *machines)
        return
    for name in ("python", "packages", "variables"):
        yield from identity.differences(name, one[name], other[name])
    files = [host["installed"] or {} for host in (one, other)]
    for name in sorted(files[0].keys() & files[1].keys()):
        if files[0][name] != files[1][name] and one["packages"].get(name) == other["packages"].get(name):
            yield f"{name} is of the same version and was built otherwise"


def versions(pairs: Sequence[Pair]) -> Iterator[str]:
    """Which of the versions that the processes named are not the same, in words."""
    for pair in pairs:
        yield from identity.differences("", dict(sorted(pair.before.versions)), dict(sorted(pair.after.versions)))


def together(found: Sequence[Change]) -> Drift | None:
    """How all cells moved from one run to the other; None if there are too few to say."""
    ratios = [change.time.observed.estimate for change in found]
    logs = [math.log(ratio) for ratio in ratios if not math.isnan(ratio)]
    return drift(logs) if len(logs) >= FEWEST_OTHERS else None


def measured(pair: Pair) -> bool:
    """Whether both sides have measured a cell."""
    return pair.before.result.outcome == pair.after.result.outcome == "measured"


def unmeasured(pair: Pair) -> str:
    """What became of a cell that was not measured on both sides."""
    before, after = (f"{each.result.outcome or 'not run'}" for each in (pair.before, pair.after))
    reason = pair.after.result.reason or pair.before.result.reason
    return f"{named(pair.cell)}: {before} in A, {after} in B" + (f" ({reason})" if reason else "")


def alone(one: Half, other: Half) -> Iterator[str]:
    """The cells that only one side has."""
    return (f"{named(cell)}: only in {one.name}" for name, cell in one.cells.items() if name not in other.cells)


def named(cell: Cell) -> str:
    """A cell in words: its mode and what it computes."""
    return f"{cell.label}, {title(cell)}"
