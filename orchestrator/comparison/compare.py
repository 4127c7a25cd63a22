"""Comparison of two runs, or of two environments of one run: their common cells, and the ground it rests on.

Cells are matched by their content, without the environment: the packages installed there may be what is compared.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from orchestrator.comparison.changes import CellPair, CellSide, Change, Ground, find_changes
from orchestrator.comparison.interleaving import match_alternating_blocks, renumber_blocks
from orchestrator.comparison.run_effects import FEWEST_OTHERS, RunEffect, estimate_run_effect
from orchestrator.comparison.sides import RunSide, read_side, summarise_cell, to_content_key
from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.records import provenance
from orchestrator.records.labels import format_title
from orchestrator.records.timestamps import parse_timestamp
from schemas.job import Cell
from schemas.record import Host

# Fields in which the two cells of a pair may differ if the user says so.
ACROSS = ("code",)

# Fields of a host that describe software, not the machine: they may be what is compared.
SOFTWARE_FIELDS = ("python", "packages", "installed", "variables")


class CompareOptions(TypedDict):
    """Options of a comparison, as `compare_sides` takes them."""

    unchanged: Sequence[str]
    at_face_value: bool
    across: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two sides, and the result of comparing them.

    `together` is the common shift of all cells from one run to the other. In words, `machines` and `software` list the
    differences between the hosts, `builds` the frameworks of which the sides have different builds, `codes` the
    workloads whose code differs, and `missing` the cells that were not measured on both sides.
    """

    before: RunSide
    after: RunSide
    ground: Ground
    changes: tuple[Change, ...]
    together: RunEffect | None
    machines: tuple[str, ...]
    software: tuple[str, ...]
    builds: tuple[str, ...]
    missing: tuple[str, ...]
    codes: tuple[str, ...] = ()

    @property
    def assumes_run_effect(self) -> bool:
        """Return True if too few cells show the effect of the runs, so that its size is assumed."""
        return self.ground == "one after the other" and len(self.changes) <= FEWEST_OTHERS

    @property
    def apart_s(self) -> float | None:
        """Seconds from the start of the first run to the start of the second; None if one is unknown."""
        first, second = parse_timestamp(self.before.manifest.started), parse_timestamp(self.after.manifest.started)
        return None if first is None or second is None else (second - first).total_seconds()

    @property
    def canary(self) -> float:
        """Ratio of their canaries, second over first; NaN if one had none."""
        return self.after.canary_ns / self.before.canary_ns


def compare_sides(
    root: Path,
    one: str,
    other: str,
    *,
    unchanged: Sequence[str] = (),
    at_face_value: bool = False,
    across: Sequence[str] = (),
) -> Compared:
    """Read two sides and compare them. `unchanged` names what is known not to have changed.

    `across` names what may differ between the cells of a pair: the code of a user's workload.

    Raises:
        UsageError: one does not exist or is ambiguous, both are the same, they have no cell in common, or too few
            cells are unchanged to show the effect of the runs.
    """
    check_across(across)
    before, after = read_side(root, one, across), read_side(root, other, across)
    if (before.folder, before.cells) == (after.folder, after.cells):
        raise UsageError(f"{one} and {other} are one run; name two runs, or two of its environments: RUN@one RUN@other")
    common = [key for key in before.cells if key in after.cells]
    if not common:
        advice = suggest_common_cells(before, after)
        raise UsageError(f"{before.name} and {after.name} have no cell in common; {advice}")
    hosts = (before.manifest.host, after.manifest.host)
    machines = tuple(describe_host_differences(*hosts, software=False))
    baseline_blocks = match_blocks(before, after, machines)
    ground = choose_ground(baseline_blocks, machines, at_face_value=at_face_value)
    pairs = [
        make_pair(
            before.cells[key],
            summarise_cell(before, key),
            align_if_interleaved(summarise_cell(after, key), baseline_blocks),
        )
        for key in common
    ]
    ready = mark_controls([each for each in pairs if is_measured_in_both(each)], unchanged)
    canary = after.canary_ns / before.canary_ns
    witnesses = [math.log(canary)] if canary > 0 else []
    found = find_changes(ready, ground, after.manifest.sweep.margin, witnesses=witnesses)
    left = [describe_unmeasured(each) for each in pairs if not is_measured_in_both(each)]
    return Compared(
        before=before,
        after=after,
        ground=ground,
        changes=found,
        together=estimate_common_shift(found),
        machines=machines,
        software=tuple(
            dict.fromkeys([*describe_version_changes(ready), *describe_host_differences(*hosts, software=True)])
        ),
        builds=tuple(dict.fromkeys(describe_build_changes(ready))),
        codes=tuple(dict.fromkeys(describe_code_changes(before, after, common))),
        missing=(*list_unmatched_cells(before, after), *list_unmatched_cells(after, before), *left),
    )


def check_across(across: Sequence[str]) -> None:
    """Check that cells may be compared although they differ in these fields.

    Raises:
        UsageError: one of them is no such field.
    """
    for name in across:
        if name not in ACROSS:
            raise unknown_name_error("difference to compare across", name, ACROSS)


def suggest_common_cells(before: RunSide, after: RunSide) -> str:
    """Return what to do about two sides without a common cell: the code of their workloads may be all that differs."""
    keys = ({to_content_key(cell, ACROSS) for cell in side.cells.values()} for side in (before, after))
    if set.intersection(*keys):
        return "the code of their workloads differs: add --across code to compare them all the same"
    return "compare runs of the same sweep"


def describe_code_changes(before: RunSide, after: RunSide, common: Sequence[str]) -> Iterator[str]:
    """Describe the workloads whose code differs, by its hash."""
    for key in common:
        one, other = before.cells[key], after.cells[key]
        if one.code != other.code:
            yield f"{one.workload_key} is {one.code[:8] or 'built in'} in A and {other.code[:8] or 'built in'} in B"


def make_pair(cell: Cell, before: CellSide, after: CellSide) -> CellPair:
    """Pair both sides of one cell, as a control if its software and its code are the same in both."""
    same_code = before.result.cell.code == after.result.cell.code
    return CellPair(cell=cell, before=before, after=after, control=same_code and before.versions == after.versions)


def mark_controls(pairs: Sequence[CellPair], unchanged: Sequence[str]) -> Sequence[CellPair]:
    """Make those cells the controls that are known not to have changed, if any are named."""
    if not unchanged:
        return pairs
    found = [replace(each, control=not collect_names(each.cell).isdisjoint(unchanged)) for each in pairs]
    if sum(each.control for each in found) < FEWEST_OTHERS:
        raise UsageError(
            f"--unchanged {','.join(unchanged)}: fewer than {FEWEST_OTHERS} measured cells are of that framework, mode "
            "or workload, too few to show the effect of the runs; name more, or leave the option out"
        )
    return found


def collect_names(cell: Cell) -> set[str]:
    """Return the names by which a user may mean a cell: framework, mode, workload."""
    return {cell.framework, cell.label, cell.workload}


def match_blocks(before: RunSide, after: RunSide, machines: Sequence[str]) -> dict[int, int] | None:
    """Map each block of the second side to the first side's block beside it; None if their blocks did not alternate."""
    if before.folder == after.folder:
        return {block: block for block in after.block_starts()}
    return None if machines else match_alternating_blocks(before.block_starts(), after.block_starts())


def align_if_interleaved(candidate: CellSide, baseline_blocks: Mapping[int, int] | None) -> CellSide:
    """Number the second side's blocks as the first side's, if their blocks alternated."""
    return candidate if baseline_blocks is None else renumber_blocks(candidate, baseline_blocks)


def choose_ground(baseline_blocks: Mapping[int, int] | None, machines: Sequence[str], *, at_face_value: bool) -> Ground:
    """Choose the ground that a comparison rests on."""
    if baseline_blocks is not None:
        return "side by side"
    if at_face_value:
        return "at face value"
    return "on different machines" if machines else "one after the other"


def describe_host_differences(before: Host, after: Host, *, software: bool) -> Iterator[str]:
    """Describe what differs between two fingerprints: in the software, or in everything else."""
    one, other = (provenance.select_timing_facts(host) for host in (before, after))
    if not software:
        machines = ({name: host[name] for name in host if name not in SOFTWARE_FIELDS} for host in (one, other))
        yield from provenance.describe_differences("", *machines)
        return
    for name in ("python", "packages", "variables"):
        yield from provenance.describe_differences(name, one[name], other[name])
    files = [host["installed"] or {} for host in (one, other)]
    for name in sorted(files[0].keys() & files[1].keys()):
        if files[0][name] != files[1][name] and one["packages"].get(name) == other["packages"].get(name):
            # Such as a local build, which the version does not show.
            yield f"{name} has the same version but is another build"


def describe_version_changes(pairs: Sequence[CellPair]) -> Iterator[str]:
    """Describe which of the versions that the processes reported differ."""
    for pair in pairs:
        yield from provenance.describe_differences(
            "", dict(sorted(pair.before.versions)), dict(sorted(pair.after.versions))
        )


def describe_build_changes(pairs: Sequence[CellPair]) -> Iterator[str]:
    """Describe the frameworks of which the two sides have different kinds of build."""
    for pair in pairs:
        one, other = (" and ".join(sorted(side.builds)) for side in (pair.before, pair.after))
        if one and other and one != other:
            yield f"{pair.cell.framework} is a {one} build in A and a {other} build in B"


def estimate_common_shift(found: Sequence[Change]) -> RunEffect | None:
    """Estimate the common shift of all cells from one run to the other; None if there are too few."""
    ratios = [change.time.observed.estimate for change in found]
    logs = [math.log(ratio) for ratio in ratios if not math.isnan(ratio)]
    return estimate_run_effect(logs) if len(logs) >= FEWEST_OTHERS else None


def is_measured_in_both(pair: CellPair) -> bool:
    """Return whether both sides measured a cell."""
    return pair.before.result.outcome == pair.after.result.outcome == "measured"


def describe_unmeasured(pair: CellPair) -> str:
    """Describe the outcomes of a cell that was not measured on both sides."""
    before, after = (f"{each.result.outcome or 'not run'}" for each in (pair.before, pair.after))
    reason = pair.after.result.reason or pair.before.result.reason
    return f"{describe_cell(pair.cell)}: {before} in A, {after} in B" + (f" ({reason})" if reason else "")


def list_unmatched_cells(one: RunSide, other: RunSide) -> Iterator[str]:
    """List the cells that only one side has."""
    return (f"{describe_cell(cell)}: only in {one.name}" for key, cell in one.cells.items() if key not in other.cells)


def describe_cell(cell: Cell) -> str:
    """Describe a cell by its mode and what it computes."""
    return f"{cell.label}, {format_title(cell)}"
