"""Comparison of two runs, or of two environments of one run: their common cells, and the ground it rests on.

Cells are matched by their content, without the environment: the packages installed there may be what is compared.
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

# Fields of a host that describe software, not the machine: they may be what is compared.
SOFTWARE = ("python", "packages", "installed", "variables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two sides, and the result of comparing them.

    `together` is the common shift of all cells from one run to the other. In words, `machines` and `software` list the
    differences between the hosts, and `missing` the cells that were not measured on both sides.
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
        """Seconds from the start of the first run to the start of the second; None if one is unknown."""
        first, second = moment(self.before.manifest.started), moment(self.after.manifest.started)
        return None if first is None or second is None else (second - first).total_seconds()

    @property
    def canary(self) -> float:
        """Ratio of their canaries, second over first; NaN if one had none."""
        return self.after.canary_ns / self.before.canary_ns


def compare(
    root: Path, one: str, other: str, *, unchanged: Sequence[str] = (), at_face_value: bool = False
) -> Compared:
    """Read two sides and compare them. `unchanged` names what is known not to have changed.

    Raises:
        UsageError: one does not exist or is ambiguous, both are the same, they have no cell in common, or too few
            cells are unchanged to show the effect of the runs.
    """
    before, after = half(root, one), half(root, other)
    if (before.folder, before.cells) == (after.folder, after.cells):
        raise UsageError(f"{one} and {other} are one run; name two runs, or two of its environments: RUN@one RUN@other")
    common = [name for name in before.cells if name in after.cells]
    if not common:
        raise UsageError(f"{before.name} and {after.name} have no cell in common; compare runs of the same sweep")
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
    """Pair both sides of one cell, as a control if its software is the same in both."""
    return Pair(cell=cell, before=before, after=after, control=before.versions == after.versions)


def controlled(pairs: Sequence[Pair], unchanged: Sequence[str]) -> Sequence[Pair]:
    """Make those cells the controls that are known not to have changed, if any are named."""
    if not unchanged:
        return pairs
    found = [replace(each, control=not names(each.cell).isdisjoint(unchanged)) for each in pairs]
    if sum(each.control for each in found) < FEWEST_OTHERS:
        raise UsageError(
            f"--unchanged {','.join(unchanged)}: fewer than {FEWEST_OTHERS} measured cells are of that framework, mode "
            "or workload, too few to show the effect of the runs; name more, or leave the option out"
        )
    return found


def names(cell: Cell) -> set[str]:
    """Return the names by which a user may mean a cell: framework, mode, workload."""
    return {cell.framework, cell.label, cell.workload}


def side_by_side(before: Half, after: Half, machines: Sequence[str]) -> dict[int, int] | None:
    """Map each block of the second side to the first side's block beside it; None if they did not take turns."""
    if before.folder == after.folder:
        return {block: block for block in after.begun()}
    return None if machines else alternating(before.begun(), after.begun())


def beside_it(side: Side, turns: Mapping[int, int] | None) -> Side:
    """Number the second side's blocks as the first side's, if they took turns."""
    return side if turns is None else beside(side, turns)


def grounds(turns: Mapping[int, int] | None, machines: Sequence[str], *, at_face_value: bool) -> Ground:
    """Choose the ground that a comparison rests on."""
    if turns is not None:
        return "side by side"
    if at_face_value:
        return "at face value"
    return "on different machines" if machines else "one after the other"


def differences(before: Half, after: Half, *, software: bool) -> Iterator[str]:
    """Describe what differs between two fingerprints: in the software, or in everything else."""
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
            # Such as a local build, which the version does not show.
            yield f"{name} has the same version but is another build"


def versions(pairs: Sequence[Pair]) -> Iterator[str]:
    """Describe which of the versions that the processes reported differ."""
    for pair in pairs:
        yield from identity.differences("", dict(sorted(pair.before.versions)), dict(sorted(pair.after.versions)))


def together(found: Sequence[Change]) -> Drift | None:
    """Estimate the common shift of all cells from one run to the other; None if there are too few."""
    ratios = [change.time.observed.estimate for change in found]
    logs = [math.log(ratio) for ratio in ratios if not math.isnan(ratio)]
    return drift(logs) if len(logs) >= FEWEST_OTHERS else None


def measured(pair: Pair) -> bool:
    """Return whether both sides measured a cell."""
    return pair.before.result.outcome == pair.after.result.outcome == "measured"


def unmeasured(pair: Pair) -> str:
    """Describe the outcomes of a cell that was not measured on both sides."""
    before, after = (f"{each.result.outcome or 'not run'}" for each in (pair.before, pair.after))
    reason = pair.after.result.reason or pair.before.result.reason
    return f"{named(pair.cell)}: {before} in A, {after} in B" + (f" ({reason})" if reason else "")


def alone(one: Half, other: Half) -> Iterator[str]:
    """List the cells that only one side has."""
    return (f"{named(cell)}: only in {one.name}" for name, cell in one.cells.items() if name not in other.cells)


def named(cell: Cell) -> str:
    """Describe a cell by its mode and what it computes."""
    return f"{cell.label}, {title(cell)}"
