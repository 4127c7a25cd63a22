"""The results of a group in plain sentences, which claim no more than the numbers support."""

from collections.abc import Iterator, Sequence

from orchestrator.analysis.breakeven import find_sibling
from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.derivation.disturbance import FLAG_MEANINGS
from orchestrator.analysis.results import Group, Result, Steadiness
from orchestrator.format import format_duration, format_ratio, format_ratio_range, join_names, to_printable
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.report.sections import (
    agreement,
    breakeven,
    generation,
    growth,
    latency,
    new_shapes,
    saved_models,
    throughput,
)

UNSTEADY: dict[Steadiness, str] = {
    "slow-down": "most processes became slower during warm-up",
    "none": "most processes did not become steady during warm-up",
    "mixed": "fewer than nine in ten processes became steady in the same way",
}

SHARED_MACHINE = (
    "calls are longer than a time slice and the machine was shared, so their time lies between CPU time and wall time"
)


def describe_group(group: Group) -> list[str]:
    """Return the sentences of one group: answers first, then reservations, then the A/A check."""
    answers = [
        *describe_fastest(group),
        *describe_compiled_modes(group),
        *breakeven.describe_break_evens(group),
        *latency.describe_latency(group),
        *new_shapes.describe_new_shapes(group),
        *saved_models.describe_portability(group),
        *compare_frameworks(group),
        *compare_environments(group),
        *compare_variants(group),
    ]
    reservations = [
        *describe_unranked(group),
        *agreement.describe_agreement(group),
        *describe_moved_baseline(group),
        *generation.describe_generation(group),
        *throughput.describe_throughput(group.ranked),
        *growth.describe_growth(list_measured(group)),
        *describe_refused_blocks(group),
        *describe_rank_blocks(group),
        *describe_doubts(group),
        *describe_referee(group),
    ]
    every = [*answers, *reservations, *describe_clone(group)]
    # Labels may come from a plug-in, and reasons from a worker.
    return [to_printable(sentence) for sentence in every]


def describe_fastest(group: Group) -> Iterator[str]:
    """Yield the fastest mode, or the modes that share the first place."""
    # The order of estimates alone makes no mode the fastest.
    if len(group.standings) < 2 or group.standings[0].best > 1:
        return
    leader = group.standings[0]
    time = format_duration(group.result(leader.cell).floor_ns.estimate)
    if find_fastest(group) is not None:
        yield f"{leader.cell} is the fastest, at {time} per call."
    else:
        others = join_names(leader.tied_with)
        yield f"{leader.cell} has the lowest time, {time} per call, but this run cannot tell it apart from {others}."


def find_fastest(group: Group) -> Result | None:
    """Return the cell that is shown to be the fastest of at least two; None if there is no single one."""
    if len(group.standings) < 2 or group.standings[0].best > 1 or group.standings[0].tied_with:
        return None
    return group.ranked[0]


def describe_compiled_modes(group: Group) -> Iterator[str]:
    """Yield each compiled mode against the mode it has to beat, of the same framework and environment."""
    pairs = group.pairs
    # Installed frameworks have siblings as well, beyond those of the catalogue.
    siblings = {(each.name, mode.name): mode.sibling for each in load_frameworks().values() for mode in each.modes}
    for each in group.results:
        eager = find_sibling(group, each.label, siblings)
        if found := pairs.get((eager, each.label)):
            yield f"{format_framework(each)}: {each.cell.mode} {describe_claim(found, group.result(eager).cell.mode)}."


def format_framework(result: Result) -> str:
    """Return a framework's title, with its version or environment if the sweep has several."""
    name, _, version = result.label.rpartition(":")[0].partition("@")
    known = load_frameworks().get(name)
    return (known.title if known else name) + (f" {version}" if version else "")


def compare_frameworks(group: Group) -> Iterator[str]:
    """Yield the best mode of each framework against the best of the leading framework."""
    best, pairs = [result.label for result in list_best_modes(group)], group.pairs
    for other in best[1:]:
        yield f"Between frameworks: {other} {describe_claim(pairs[best[0], other], best[0])}."


def list_best_modes(group: Group) -> list[Result]:
    """Return the best mode of each framework, the leading framework first."""
    first: dict[str, Result] = {}
    for result in group.ranked:
        first.setdefault(result.cell.framework, result)
    return [*first.values()]


def compare_environments(group: Group) -> Iterator[str]:
    """Yield each mode in each environment against the same mode in the first environment that was asked for."""
    pairs, first = group.pairs, dict[tuple[str, str, str], str]()
    for each in list_measured(group):
        before = first.setdefault((each.cell.framework, each.cell.mode, each.cell.variant), each.label)
        if found := pairs.get((before, each.label)):
            yield f"Between environments: {each.label} {describe_claim(found, before)}."


def compare_variants(group: Group) -> Iterator[str]:
    """Yield each mode in each variant against the same mode in the first variant, and whether their data differ."""
    pairs, first = group.pairs, dict[tuple[str, str, str], Result]()
    for each in list_measured(group):
        before = first.setdefault((each.cell.framework, each.cell.mode, each.cell.environment), each)
        if each.cell.variant and (found := pairs.get((before.label, each.label))):
            yield f"Between variants: {each.label} {describe_claim(found, before.label)}."
            if before.inputs_sha256 != each.inputs_sha256:
                yield f"{each.label} and {before.label} had different weights or inputs."


def list_measured(group: Group) -> list[Result]:
    """Return the measured cells except the A/A clone, in the order of the plan."""
    return [each for each in group.results if each.outcome == "measured" and not each.cell.replica]


def describe_unranked(group: Group) -> Iterator[str]:
    """Yield the cells without a rank, with the reason: once for all that share it."""
    alike: dict[str, list[str]] = {}
    for each in group.results:
        if each.outcome is None:
            alike.setdefault("not run", []).append(each.label)
        elif each.outcome != "measured":
            alike.setdefault(f"not ranked ({each.outcome}): {each.reason}", []).append(each.label)
    for finding, labels in alike.items():
        verb = ("was", "were") if finding == "not run" else ("is", "are")
        yield f"{join_names(labels, 'and')} {verb[len(labels) > 1]} {finding}."


def describe_moved_baseline(group: Group) -> Iterator[str]:
    """Yield which cell became the baseline, if the one that was asked for was not measured."""
    if group.unmeasured_baseline:
        yield (
            f"{group.unmeasured_baseline} is the baseline of this sweep and was not measured, so ratios are to "
            f"{group.baseline}."
        )


def describe_refused_blocks(group: Group) -> Iterator[str]:
    """Yield the blocks that could not be compared, with the reason: once for all pairs that share it."""
    alike: dict[str, list[str]] = {}
    for found in (*group.comparisons, *([group.clone] if group.clone else [])):
        if found.reason:
            alike.setdefault(found.reason, []).append(f"{found.baseline} and {found.cell}")
    yield from (f"{', '.join(pairs)}: {reason}." for reason, pairs in alike.items())


def describe_rank_blocks(group: Group) -> Iterator[str]:
    """Yield the number of blocks that ranks need, if the run has fewer and compares fewer pairs itself."""
    if group.blocks_for_ranks and len(group.all_pairs) > len(group.comparisons):
        done = max(each.blocks for each in group.all_pairs)
        pairs = f"the {len(group.comparisons)} pairs that were compared"
        yield (
            f"Ranks rest on {pairs}. All {len(group.all_pairs)} pairs of modes need {group.blocks_for_ranks} blocks; "
            f"this run has {done}."
        )


def describe_doubts(group: Group) -> Iterator[str]:
    """Yield disturbed cells and cells that were not steady: once for all cells with the same finding."""
    measured, alike = list_measured(group), dict[str, list[str]]()
    for each in measured:
        if each.grade != "A":
            why = ", ".join(f"{FLAG_MEANINGS[flag]} ({flag})" for flag in sorted(each.flags))
            alike.setdefault(f"graded {each.grade}: {why}", []).append(each.label)
    for each in measured:
        if each.bounded_by_cpu_time:
            alike.setdefault(SHARED_MACHINE, []).append(each.label)
    for each in measured:
        if each.steadiness in UNSTEADY:
            alike.setdefault(UNSTEADY[each.steadiness], []).append(each.label)
    yield from (f"{', '.join(labels)}: {finding}." for finding, labels in alike.items())


def describe_referee(group: Group) -> Iterator[str]:
    """Yield a reservation if the reference is one of the frameworks, and what that leaves open."""
    if group.referee:
        names = group.referee.replace(" and ", ":eager and ") + ":eager"
        itself = "are only checked against themselves" if " and " in names else "is only checked against itself"
        yield (
            f"Results are checked against {names} in {group.referee_dtype}, as there is no independent reference. This "
            f"shows that modes agree, not that the formulas are right; {names} {itself}."
        )


def describe_clone(group: Group) -> Iterator[str]:
    """Yield the verdict on the same cell measured twice, which shows whether the instrument can be trusted."""
    if group.clone is not None:
        interval = format_ratio_range(group.clone.ratio)
        shown = f"ratio {format_ratio(group.clone.ratio.estimate)}" + (f", {interval}" if interval else "")
        start = (
            f"A/A check{'' if is_honest_clone(group.clone) else ' FAILED'}: {group.clone.baseline} compared with itself"
        )
        yield f"{start} is {group.clone.verdict} ({shown}), {describe_clone_end(group.clone)}."


def describe_clone_end(clone: Comparison) -> str:
    """Return what the verdict on a cell and its clone means for the run, as the end of a sentence."""
    if not is_honest_clone(clone):
        return "a false claim: distrust differences of this size in this run"
    if clone.verdict is Verdict.EQUIVALENT:
        return "as it should be"
    if not format_ratio_range(clone.ratio):
        return f"as {clone.blocks} processes each are too few for an interval"
    if clone.ratio.low <= 1 <= clone.ratio.high:
        return "no false claim, but the run is too imprecise to show that the two are equal"
    return "no false claim, but the interval leaves out 1: distrust differences of this size in this run"


def is_honest_clone(clone: Comparison) -> bool:
    """Return True if no difference is claimed between a cell and its clone."""
    return clone.verdict in (Verdict.EQUIVALENT, Verdict.UNRESOLVED)


def describe_claim(found: Comparison, other: str) -> str:
    """Return one comparison as the end of a sentence."""
    interval = format_both_ranges(found)
    times = f"{format_ratio(found.ratio.estimate)} times as long as {other}" + (f" ({interval})" if interval else "")
    match found.verdict:
        case Verdict.FASTER | Verdict.SLOWER:
            return f"takes {times}: {found.verdict.lower()}"
        case Verdict.DIFFERENT_BUT_SMALL:
            return f"takes {times}: a real difference, but estimated too small to matter"
        case Verdict.EQUIVALENT:
            return f"is as fast as {other} (ratio {interval})"
        case Verdict.ESTIMATOR_DEPENDENT:
            return f"is faster than {other} by one estimator and slower by the other: no claim"
        case _ if found.ratio.low <= 1 <= found.ratio.high:
            why = interval or f"too few processes for an interval: {found.blocks} each"
            return f"cannot be told apart from {other} by this run ({why})"
        # The interval leaves out 1, and yet nothing is claimed: disturbances forbid it, or the rule of Holm.
        case _ if found.is_explained_by_disturbances:
            return f"took {times}, but disturbances may be the cause"
        case _:
            return f"took {times}, but {found.blocks} processes each are not enough evidence for this number of pairs"


def format_both_ranges(found: Comparison) -> str:
    """Return a ratio's interval, and the one with room for disturbances where it differs."""
    interval, bounds = (format_ratio_range(each) for each in (found.ratio, found.undisturbed or found.ratio))
    return interval if bounds == interval else f"{interval}; with room for disturbances, {bounds or 'unknown'}"


def list_deprecations(results: Sequence[Result]) -> list[str]:
    """Return the upstream deprecations of these modes, each once; none for a mode that is not known here."""
    modes = {(f.name, mode.name): mode for f in load_frameworks().values() for mode in f.modes}
    found = [modes.get((result.cell.framework, result.cell.mode)) for result in results]
    return list(dict.fromkeys(f"Note: {mode.deprecated}." for mode in found if mode is not None and mode.deprecated))


def write_headline(group: Group) -> Iterator[str]:
    """Yield the fastest mode, or the reason why none can be named."""
    standings = group.standings
    if not standings:
        yield "No mode was measured."
    elif len(standings) == 1:
        (alone,) = standings
        time = format_duration(group.result(alone.cell).floor_ns.estimate)
        yield f"Only {alone.cell} was measured, at {time} per call."
    else:
        leaders = join_names([standing.cell for standing in standings if standing.best == 1])
        yield from list(describe_fastest(group)) or [f"The fastest is {leaders}; this run cannot tell which."]


def describe_mixture(mixed: Sequence[str]) -> Iterator[str]:
    """Yield the differences between the parts of a run, if it was resumed under other conditions."""
    if mixed:
        yield to_printable(f"MIXED: between the parts of this run, {'; '.join(mixed)}.")


# Skipped records that a sentence names.
MAX_NAMED_RECORDS = 3


def describe_skipped(skipped: Sequence[str]) -> Iterator[str]:
    """Yield the records of a run that cannot be read, and are in none of its results."""
    if skipped:
        more = f"; and {len(skipped) - MAX_NAMED_RECORDS} more" if len(skipped) > MAX_NAMED_RECORDS else ""
        records = "1 record" if len(skipped) == 1 else f"{len(skipped)} records"
        yield to_printable(f"Skipped {records}: {'; '.join(skipped[:MAX_NAMED_RECORDS])}{more}.")
