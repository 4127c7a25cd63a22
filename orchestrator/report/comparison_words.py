"""What a comparison of two runs says, in plain sentences: what it rests on, what changed, what its gates come to."""

import math
from collections.abc import Iterator, Sequence

from orchestrator.analysis.compare import CLAIMS, MARGIN, Verdict
from orchestrator.analysis.runs import Change
from orchestrator.comparing import Compared, named
from orchestrator.gates import Judged, ratio
from orchestrator.halves import Half
from orchestrator.report.units import between, printable, size
from orchestrator.report.units import ratio as times
from schemas.sweep import MemoryMetric

TOLD: tuple[MemoryMetric, ...] = ("footprint", "step_peak")
"""The headlines of memory of which a change is told without being asked for."""

SPANS = (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
SIDE_BY_SIDE = "Measured side by side: ratios are taken block by block, and what disturbed A disturbed B."
ELSEWHERE = (
    "Warning: measured on different machines. Ratios are what was observed, and nothing tells a change from the "
    "machine: no verdict is given (--at-face-value gives one all the same)."
)


def basis(compared: Compared) -> list[str]:
    """What the comparison rests on, with a warning where that is not one machine at one time."""
    lines = [about("A", compared.before), about("B", compared.after), grounds(compared)]
    if compared.machines:
        lines.append(f"Not the same machine: {'; '.join(compared.machines)}.")
    if compared.software:
        lines.append(f"Not the same software: {'; '.join(compared.software)}.")
    return [printable(line) for line in (*lines, *doubts(compared))]


def about(letter: str, half: Half) -> str:
    """One side by its name, its time and its machine."""
    host = half.manifest.host
    machine = f"{host.cpu}, {host.cores} cores, {host.system}, fingerprint {host.content_hash}"
    return f"{letter} is {half.name}, begun {half.manifest.started}: {machine}."


def grounds(compared: Compared) -> str:
    """Whether the two were side by side, and what was allowed for where they were not."""
    apart = f"Warning: not measured side by side: B was begun {later(compared)}."
    match compared.ground:
        case "side by side":
            return SIDE_BY_SIDE
        case "on different machines":
            return ELSEWHERE
        case "at face value":
            return f"{apart} Taken at face value: intervals do not allow for what that did to a run.{moved(compared)}"
        case _:
            return (
                f"{apart} A machine is not the same twice, and that is in all processes of a run alike; so each "
                f"interval is widened by what the other cells did.{moved(compared)}"
            )


def later(compared: Compared) -> str:
    """How long after A, in a unit that fits."""
    if compared.apart_s is None:
        return "at another time than A"
    span = abs(compared.apart_s)
    unit, seconds = next((each for each in SPANS if span >= 2 * each[1]), SPANS[-1])
    return f"{span / seconds:.0f} {unit} {'after' if compared.apart_s >= 0 else 'before'} A"


def moved(compared: Compared) -> str:
    """How all cells moved, and the canary; empty if there are too few to say."""
    found, canary = compared.together, compared.canary
    if found is None:
        return ""
    sang = f"; the canary, a fixed small product in NumPy, by {percent(canary - 1)}" if math.isfinite(canary) else ""
    return (
        f" From A to B they moved by {percent(found.common)} on the whole and {percent(found.spread)[1:]} apart{sang}."
    )


def percent(share: float) -> str:
    """A share with its sign: `+0.28 %`."""
    return f"{100 * share:+.2f} %"


def doubts(compared: Compared) -> Iterator[str]:
    """What else the two do not have in common."""
    halves = (("A", compared.before), ("B", compared.after))
    codes = {half.manifest.identity.code for _, half in halves if half.manifest.identity is not None}
    if len(codes) > 1:
        yield "Warning: another version of this program measured B: the source of workers/ or schemas/ is not the same."
    for letter, half in halves:
        if half.manifest.mixed:
            yield f"Warning: {letter} is MIXED: between its parts, {'; '.join(half.manifest.mixed)}."


def sentences(compared: Compared, judged: Sequence[Judged]) -> list[str]:
    """What changed, what did not, what could not be compared, and the gates."""
    claimed = [change for change in compared.changes if change.verdict in CLAIMS]
    lines = [
        *(f"{named(change.cell)}: {claim(change)}." for change in claimed),
        *unchanged(compared.changes),
        *disturbed(compared.changes),
        *(sentence for change in compared.changes for sentence in memory(change)),
        *(f"{named(change.cell)}: {change.reason}." for change in compared.changes if change.reason),
        *(f"{line}." for line in compared.missing),
        *(sentence for each in judged for sentence in gate(each, len(compared.missing))),
    ]
    return [printable(line) for line in lines]


def claim(change: Change) -> str:
    """One claim about time."""
    found = change.time.claimed
    ending = {Verdict.FASTER: "faster", Verdict.SLOWER: "slower"}.get(
        change.verdict or Verdict.UNRESOLVED, "a real difference, estimated too small to matter"
    )
    return f"in B it takes {times(found.estimate)} times ({between(found)}) as long as in A: {ending}"


def unchanged(changes: Sequence[Change]) -> Iterator[str]:
    """How many cells are as fast in both, and of how many that cannot be said."""
    words = {
        Verdict.EQUIVALENT: "as fast in B as in A",
        Verdict.UNRESOLVED: "not to be told from A by these runs",
        Verdict.ESTIMATOR_DEPENDENT: "faster by one estimator and slower by the other: no claim",
    }
    for verdict, word in words.items():
        if number := sum(change.verdict is verdict for change in changes):
            yield f"{number} of {len(changes)} cells: {word}."


def disturbed(changes: Sequence[Change]) -> Iterator[str]:
    """How many cells were too disturbed, in one run or both, for any claim."""
    if number := sum("C" in (change.before.grade, change.after.grade) for change in changes):
        yield f"{number} of {len(changes)} cells: graded C in a run, too disturbed for any claim."


def memory(change: Change) -> Iterator[str]:
    """The headlines of memory that have changed by more than matters, for certain."""
    for metric in TOLD:
        found = change.memory.get(metric)
        if found is None or (found.claimed.low <= 1 + MARGIN and found.claimed.high >= 1 / (1 + MARGIN)):
            continue
        before, after = (size(each.memory[metric].estimate) for each in (change.before, change.after))
        grown = f"{times(found.claimed.estimate)} times ({between(found.claimed)}) what it was"
        yield f"{named(change.cell)}: its {metric.replace('_', ' ')} is {grown}: {after} after {before}."


def gate(judged: Judged, unmeasured: int) -> Iterator[str]:
    """What one gate came to. Not to be beyond it for certain is not to be within it."""
    for change in judged.beyond:
        found = ratio(judged.gate, change)
        assert found is not None
        least = f"{times(found.claimed.low)} times what it was at least"
        yield f"GATE {judged.gate.said}: {named(change.cell)} is beyond it: {least}."
    if not judged.beyond:
        total = sum(map(len, (judged.within, judged.open)))
        sure = f"{len(judged.within)} of {total} are within it for certain"
        rest = f"; {unmeasured} could not be judged" if unmeasured else ""
        yield f"Gate {judged.gate.said} passed: no cell is beyond it for certain, {sure}{rest}."
