"""What the numbers say, in plain sentences that claim no more than they do."""

from collections.abc import Iterator, Sequence

from orchestrator.analysis.breakeven import sibling
from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.disturbance import MEANING
from orchestrator.analysis.results import Group, Result, Steadiness
from orchestrator.frameworks import known
from orchestrator.report import breakeven, portability, shapes
from orchestrator.report.units import between, duration, printable, ratio

NAMES = {"torch": "PyTorch", "tensorflow": "TensorFlow", "numpy": "NumPy"}

UNSTEADY: dict[Steadiness, str] = {
    "slow-down": "most processes became slower during their warm-up",
    "none": "most processes did not become steady during their warm-up",
    "mixed": "processes became steady in different ways, fewer than nine in ten alike",
}


def sentences(group: Group) -> list[str]:
    """The answer for one group: the fastest, what compiling did and when it has paid, and what lies between."""
    answers = [
        *fastest(group),
        *compiled(group),
        *breakeven.sentences(group),
        *shapes.sentences(group),
        *portability.sentences(group),
        *across(group),
        *versions(group),
    ]
    reservations = [*unranked(group), *refused(group), *doubts(group), *allotted(group), *refereed(group)]
    every = [*answers, *reservations, *clone(group)]
    return [printable(sentence) for sentence in every]


def fastest(group: Group) -> Iterator[str]:
    """Who is first, or who share the first place because nothing tells them apart."""
    if len(group.standings) < 2:
        return
    leader = group.standings[0]
    time = duration(group.result(leader.cell).floor_ns.estimate)
    if leader.best > 1:
        return
    if leader.tied_with:
        others = listed(leader.tied_with)
        yield f"{leader.cell} has the lowest time, {time} a call, but this run cannot tell it from {others}."
    else:
        yield f"{leader.cell} is the fastest, at {time} a call."


def compiled(group: Group) -> Iterator[str]:
    """Each compiled mode against the mode that it has to beat, of the same framework in the same environment."""
    pairs = {(found.baseline, found.cell): found for found in (*group.comparisons, *flipped(group.comparisons))}
    siblings = {(each.name, mode.name): mode.sibling for each in known().values() for mode in each.modes}
    for each in group.results:
        eager = sibling(group, each.label, siblings)
        if found := pairs.get((eager, each.label)):
            yield f"{spoken(each)}: {each.cell.mode} {claim(found, group.result(eager).cell.mode)}."


def spoken(result: Result) -> str:
    """A framework as people call it, with its version or environment where the sweep has several."""
    framework, _, version = result.label.rpartition(":")[0].partition("@")
    return NAMES.get(framework, framework) + (f" {version}" if version else "")


def across(group: Group) -> Iterator[str]:
    """The first mode of each framework against the first of the leading framework."""
    first: dict[str, str] = {}
    for standing in group.standings:
        first.setdefault(group.result(standing.cell).cell.framework, standing.cell)
    if len(first) < 2:
        return
    leader, *others = first.values()
    pairs = {(found.baseline, found.cell): found for found in (*group.comparisons, *flipped(group.comparisons))}
    for other in others:
        yield f"Between frameworks: {other} {claim(pairs[leader, other], leader)}."


def versions(group: Group) -> Iterator[str]:
    """Each mode in each environment against the same mode in the first environment that was asked for."""
    pairs = {(found.baseline, found.cell): found for found in (*group.comparisons, *flipped(group.comparisons))}
    first: dict[tuple[str, str], str] = {}
    for each in group.results:
        if each.outcome == "measured" and not each.cell.replica:
            before = first.setdefault((each.cell.framework, each.cell.mode), each.label)
            if found := pairs.get((before, each.label)):
                yield f"Between environments: {each.label} {claim(found, before)}."


def unranked(group: Group) -> Iterator[str]:
    """Cells without a rank, and why."""
    for each in group.results:
        if each.outcome is None:
            yield f"{each.label} was not run."
        elif each.outcome != "measured":
            yield f"{each.label} is not ranked: {each.outcome}: {each.reason}."


def refused(group: Group) -> Iterator[str]:
    """Blocks that could not be compared, and why: once for all the pairs of which it is true."""
    alike: dict[str, list[str]] = {}
    for found in (*group.comparisons, *([group.clone] if group.clone else [])):
        if found.reason:
            alike.setdefault(found.reason, []).append(f"{found.baseline} and {found.cell}")
    yield from (f"Of {', '.join(pairs)} {reason}." for reason, pairs in alike.items())


def doubts(group: Group) -> Iterator[str]:
    """Cells whose measurements were disturbed, and cells that were not steady: once for all of which it is true."""
    measured = [each for each in group.results if each.outcome == "measured" and not each.cell.replica]
    alike: dict[str, list[str]] = {}
    for each in measured:
        if each.grade != "A":
            why = ", ".join(f"{MEANING[flag]} ({flag})" for flag in sorted(each.flags))
            bar = "; no claim is made about it" if each.grade == "C" else ""
            alike.setdefault(f"graded {each.grade}: {why}{bar}", []).append(each.label)
    for each in measured:
        if each.steadiness in UNSTEADY:
            alike.setdefault(UNSTEADY[each.steadiness], []).append(each.label)
    yield from (f"{', '.join(labels)}: {finding}." for finding, labels in alike.items())


def allotted(group: Group) -> Iterator[str]:
    """Cells whose processes took by far too few or too many samples for what a process and a sample take."""
    measured = [each for each in group.results if each.outcome == "measured" and not each.cell.replica]
    known = [(each.label, each.allocation) for each in measured if each.allocation is not None]
    few = [(label, each) for label, each in known if each.too_few]
    many = [(label, each) for label, each in known if each.too_many]
    for word, found in (("few", few), ("many", many)):
        if found:
            taken, best = max(each.samples for _, each in found), max(each.best for _, each in found)
            yield (
                f"{', '.join(label for label, _ in found)}: {taken} samples in each process are {word}; by the rule of "
                f"Kalibera and Jones about {best} would make the most of the time (timing.samples)."
            )


def refereed(group: Group) -> Iterator[str]:
    """That what is right was said by one of the frameworks, and what that leaves open."""
    if group.referee:
        yield (
            f"Results are held to {group.referee}:eager in float64, for want of an independent reference: that shows "
            f"that modes agree, not that the formulas are right, and holds {group.referee}:eager to itself."
        )


def clone(group: Group) -> Iterator[str]:
    """What the instrument made of the same cell measured twice."""
    if group.clone is not None:
        interval = between(group.clone.ratio)
        shown = f"ratio {ratio(group.clone.ratio.estimate)}" + (f", {interval}" if interval else "")
        honest = group.clone.verdict in (Verdict.EQUIVALENT, Verdict.UNRESOLVED)
        end = "as it must" if honest else "which is false: distrust differences of this size in this run"
        yield f"A/A check: {group.clone.baseline} against itself came out {group.clone.verdict} ({shown}), {end}."


def claim(found: Comparison, other: str) -> str:
    """One comparison as the end of a sentence."""
    interval = between(found.ratio)
    times = f"{ratio(found.ratio.estimate)} times" + (f" ({interval})" if interval else "")
    match found.verdict:
        case Verdict.FASTER | Verdict.SLOWER:
            return f"takes {times} as long as {other}: {found.verdict.lower()}"
        case Verdict.DIFFERENT_BUT_SMALL:
            return f"takes {times} as long as {other}: a real difference, estimated too small to matter"
        case Verdict.EQUIVALENT:
            return f"is as fast as {other} ({interval})"
        case Verdict.ESTIMATOR_DEPENDENT:
            return f"against {other} is faster by one estimator and slower by the other: no claim"
        case _ if found.ratio.low <= 1 <= found.ratio.high:
            why = interval or f"{found.blocks} processes each are too few for an interval"
            return f"cannot be told from {other} by this run ({why})"
        case _ if found.significant:
            return f"took {times} as long as {other}, in processes too disturbed for a claim"
        case _:
            return f"took {times} as long as {other}; among so many pairs {found.blocks} processes each are no proof"


def flipped(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same findings seen from the other side."""
    return [comparison.flipped() for comparison in comparisons]


def listed(names: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def deprecations(results: Sequence[Result]) -> list[str]:
    """What upstream has deprecated among these modes, each once; of a mode that is not known here it is not known."""
    modes = {(f.name, mode.name): mode for f in known().values() for mode in f.modes}
    found = [modes.get((result.cell.framework, result.cell.mode)) for result in results]
    return list(dict.fromkeys(mode.deprecated for mode in found if mode is not None and mode.deprecated))
