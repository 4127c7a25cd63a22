"""The sentences of a comparison of two runs: its basis, the changes, and the outcome of its gates."""

import math
from collections.abc import Iterator, Sequence

from orchestrator.analysis.compare import CLAIMS, MARGIN, Verdict
from orchestrator.comparison.changes import Change
from orchestrator.comparison.compare import Compared, describe_cell
from orchestrator.comparison.gates import METRICS, GateResult, select_ratio
from orchestrator.comparison.run_effects import ASSUMED_SPREAD
from orchestrator.comparison.sides import RunSide
from orchestrator.format import format_ratio, format_ratio_range, format_size, to_printable
from orchestrator.report.machine import name_hashes
from orchestrator.report.sentences import describe_skipped
from schemas.sweep import MemoryMetric

# The memory metrics whose changes are reported even if no gate asks for them.
REPORTED_METRICS: tuple[MemoryMetric, ...] = ("footprint", "step_peak")

SPANS = (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
SIDE_BY_SIDE = "Measured side by side: ratios are taken block by block, so a disturbance affects A and B alike."
DIFFERENT_MACHINES = (
    "Warning: measured on different machines. A change cannot be distinguished from an effect of the machine, so the "
    "ratios are only observed and have no verdict (--at-face-value gives one anyway)."
)


def describe_basis(compared: Compared) -> list[str]:
    """Return the basis of a comparison, with a warning unless it is one machine at one time."""
    lines = [describe_side("A", compared.before), describe_side("B", compared.after), describe_ground(compared)]
    if compared.machines:
        lines.append(f"Not the same machine: {'; '.join(compared.machines)}.")
    if compared.software:
        lines.append(f"Warning: not the same software: {'; '.join(compared.software)}.")
    if compared.codes:
        lines.append(f"Not the same code: {'; '.join(compared.codes)}.")
    if compared.builds:
        lines.append(f"Warning: not the same build: {'; '.join(compared.builds)}.")
    return [to_printable(line) for line in (*lines, *list_caveats(compared))]


def describe_side(letter: str, side: RunSide) -> str:
    """Return one side by its name, its time and its machine."""
    host = side.manifest.host
    machine = f"{host.cpu}, {host.cores} cores, {host.system}, {name_hashes(host)}"
    return f"{letter} is {side.name}, started {side.manifest.started}: {machine}."


def describe_ground(compared: Compared) -> str:
    """Return how the two sides were measured, and the allowance made if they were not side by side."""
    apart = f"Warning: not measured side by side: B was started {format_delay(compared)}."
    match compared.ground:
        case "side by side":
            return SIDE_BY_SIDE
        case "on different machines":
            return DIFFERENT_MACHINES
        case "at face value":
            return (
                f"{apart} Taken at face value: intervals do not allow for effects of the run.{describe_drift(compared)}"
            )
        case _:
            return (
                f"{apart} Conditions differ from run to run and affect all processes of a run alike, so each interval "
                f"is widened by {describe_allowance(compared)}.{describe_drift(compared)}"
            )


def describe_allowance(compared: Compared) -> str:
    """Return what the intervals are widened by."""
    if not compared.assumes_run_effect:
        return "the changes of the other cells"
    return f"an assumed effect with a standard deviation of {100 * ASSUMED_SPREAD:g} %, as too few cells show it"


def format_delay(compared: Compared) -> str:
    """Return the time from A to B, in a suitable unit."""
    if compared.apart_s is None:
        return "at a different time from A"
    span = abs(compared.apart_s)
    # The largest unit of which there are at least two.
    unit, seconds = next((each for each in SPANS if span >= 2 * each[1]), SPANS[-1])
    return f"{span / seconds:.0f} {unit} {'after' if compared.apart_s >= 0 else 'before'} A"


def describe_drift(compared: Compared) -> str:
    """Return the change of all cells and of the canary; empty if there are too few cells."""
    found, canary = compared.together, compared.canary
    if found is None:
        return ""
    sang = (
        f"; the canary, a small fixed product in NumPy, by {format_signed_percent(canary - 1)}"
        if math.isfinite(canary)
        else ""
    )
    return (
        f" From A to B, cells changed by {format_signed_percent(found.common)} "
        "on average, with a standard deviation of "
        f"{format_signed_percent(found.spread)[1:]}{sang}."
    )


def format_signed_percent(share: float) -> str:
    """Return a share with its sign: `+0.28 %`."""
    return f"{100 * share:+.2f} %"


def list_caveats(compared: Compared) -> Iterator[str]:
    """Yield further differences that cast doubt on a comparison."""
    sides = (("A", compared.before), ("B", compared.after))
    codes = {side.manifest.identity.code for _, side in sides if side.manifest.identity is not None}
    if len(codes) > 1:
        yield "Warning: another version of this program measured B: the source of workers/ or schemas/ differs."
    for letter, side in sides:
        if side.manifest.mixed:
            yield f"Warning: {letter} is MIXED; between its parts, {'; '.join(side.manifest.mixed)}."
        yield from (f"Warning: {letter}: {sentence}" for sentence in describe_skipped(side.skipped))


def describe_comparison(compared: Compared, judged: Sequence[GateResult]) -> list[str]:
    """Return sentences on what changed, what did not, what could not be compared, and the gates."""
    claimed = [change for change in compared.changes if change.verdict in CLAIMS]
    lines = [
        *(f"{describe_cell(change.cell)}: {describe_time_claim(change)}." for change in claimed),
        *count_unchanged(compared.changes),
        *count_disturbed(compared.changes),
        *(sentence for change in compared.changes for sentence in describe_memory_changes(change)),
        *(f"{describe_cell(change.cell)}: {change.reason}." for change in compared.changes if change.reason),
        *(f"{line}." for line in compared.missing),
        *(sentence for each in judged for sentence in describe_gate(each, len(compared.missing))),
    ]
    return [to_printable(line) for line in lines]


def describe_time_claim(change: Change) -> str:
    """Return one claim about time."""
    found = change.time.claimed
    ending = {Verdict.FASTER: "faster", Verdict.SLOWER: "slower"}.get(
        change.verdict or Verdict.UNRESOLVED, "a real difference, but estimated too small to matter"
    )
    return f"B takes {format_ratio(found.estimate)} times as long as A ({format_ratio_range(found)}): {ending}"


def count_unchanged(changes: Sequence[Change]) -> Iterator[str]:
    """Yield how many cells are as fast in both runs, and how many are undecided."""
    words = {
        Verdict.EQUIVALENT: "as fast in B as in A",
        Verdict.UNRESOLVED: "B and A cannot be distinguished by these runs",
        Verdict.ESTIMATOR_DEPENDENT: "faster by one estimator and slower by the other: no claim",
    }
    for verdict, word in words.items():
        if number := sum(change.verdict is verdict for change in changes):
            yield f"{number} of {len(changes)} cells: {word}."


def count_disturbed(changes: Sequence[Change]) -> Iterator[str]:
    """Yield how many cells were heavily disturbed, in one run or both."""
    if number := sum("C" in (change.before.grade, change.after.grade) for change in changes):
        yield f"{number} of {len(changes)} cells: graded C in at least one run; intervals have room for disturbances."


def describe_memory_changes(change: Change) -> Iterator[str]:
    """Yield the memory metrics that have certainly changed by more than the margin."""
    for metric in REPORTED_METRICS:
        found = change.memory.get(metric)
        # The whole interval has to lie beyond the margin, on either side.
        if found is None or (found.claimed.low <= 1 + MARGIN and found.claimed.high >= 1 / (1 + MARGIN)):
            continue
        before, after = (format_size(each.memory[metric].estimate) for each in (change.before, change.after))
        grown = f"{format_ratio(found.claimed.estimate)} times that of A ({format_ratio_range(found.claimed)})"
        yield f"{describe_cell(change.cell)}: the {metric.replace('_', ' ')} of B is {grown}: {after} after {before}."


def describe_gate(judged: GateResult, unmeasured: int) -> Iterator[str]:
    """Yield the outcome of one gate. A cell that does not certainly exceed a gate may still not be within it."""
    for change in judged.beyond:
        found = select_ratio(judged.gate, change)
        # A cell without the metric cannot exceed its gate.
        assert found is not None
        least = format_ratio(found.claimed.low)
        yield f"GATE {judged.gate.text}: {describe_cell(change.cell)} exceeds it: B is at least {least} times A."
    rest = f"; {unmeasured} could not be judged" if unmeasured else ""
    total = sum(map(len, (judged.within, judged.open)))
    if judged.outcome == "passed":
        sure = f"{len(judged.within)} of {total} are certainly within it"
        yield f"Gate {judged.gate.text} passed: no cell certainly exceeds it, {sure}{rest}."
    elif judged.outcome == "inconclusive":
        advice = "Measure more blocks, or both sides in one sweep"
        if METRICS[judged.gate.name] is not None:
            advice += "; forked processes have no memory of their own, so measure with --start fresh"
        yield f"Gate {judged.gate.text} is inconclusive: {total} cells, none certainly on either side{rest}. {advice}."
