"""Two runs, or two environments of one run, brought together: which cells both have, and what a comparison rests on.

Cells are matched by their content, without the environment: what is installed there may be what is compared.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator import identity
from orchestrator.analysis.drift import FEWEST_OTHERS, Drift, drift
from orchestrator.analysis.naming import title
from orchestrator.analysis.runs import Change, Ground, Pair, Side, changes
from orchestrator.analysis.turns import alternating, beside
from orchestrator.errors import UsageError
from orchestrator.halves import Half, half, side
from orchestrator.moments import moment
from schemas.job import Cell

SOFTWARE = ("python", "packages", "installed", "variables")
"""What of a host is no machine: it may be what is compared."""


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
    if (before.folder, before.cells) == (after.folder, after.cells):
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
        before=before,
        after=after,
        ground=ground,
        changes=found,
        together=together(found),
        machines=machines,
        software=tuple(dict.fromkeys([*versions(ready), *differences(before, after, software=True)])),
        missing=(*alone(before, after), *alone(after, before), *left),
    )


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
