"""The answer of a run in a few sentences, and its reservations as short notes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from orchestrator.analysis.breakeven import BreakEven, Payoff, find_break_evens, find_payoffs, find_sibling
from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.results import Group, Result
from orchestrator.format import format_count, format_ratio, format_ratio_range, join_names, round_counts, to_printable
from orchestrator.records.labels import describe_computations
from orchestrator.report.sections.breakeven import describe_amortisation
from orchestrator.report.sections.generation import describe_generation
from orchestrator.report.sections.growth import describe_growth
from orchestrator.report.sections.throughput import describe_throughput
from orchestrator.report.sentences import (
    SHARED_MACHINE,
    UNSTEADY,
    compare_environments,
    compare_variants,
    describe_moved_baseline,
    describe_rank_blocks,
    describe_refused_blocks,
    find_fastest,
    format_framework,
    is_honest_clone,
    list_best_modes,
    list_measured,
    write_headline,
)

# With up to this number of groups, each has its own answer.
MAX_DETAILED_GROUPS: Final = 3
# With more names than this, a sentence states their number instead.
MAX_NAMES: Final = 3


def summarise_groups(groups: Sequence[Group]) -> list[str]:
    """Return the answer: about one group in a few sentences, about each of a few in less, or about many together."""
    if len(groups) == 1:
        return [to_printable(" ".join(describe_answer(groups[0])))]
    if len(groups) > MAX_DETAILED_GROUPS:
        return [*map(to_printable, (count_leaders(groups), *count_payoffs(groups)))]
    computed = describe_computations(result.cell for group in groups for result in group.results)
    return [
        to_printable(
            " ".join([f"{computed[group.results[0].cell.id]}:", *write_headline(group), *describe_payoffs(group)])
        )
        for group in groups
    ]


def describe_answer(group: Group) -> Iterator[str]:
    """Yield the fastest mode, the best of each other framework, and when compiling pays off.

    Where two versions of something are compared, the change comes first: that is what was asked.
    """
    changes = [*omit_repeated_beginnings([*compare_environments(group), *compare_variants(group)])]
    yield from changes
    yield from write_headline(group)
    yield from describe_other_frameworks(group)
    if not changes:
        yield from describe_payoffs(group)


def omit_repeated_beginnings(sentences: Sequence[str]) -> Iterator[str]:
    """Yield sentences that begin as `Between variants: ` does, each such beginning once in succession."""
    last = ""
    for sentence in sentences:
        beginning, colon, rest = sentence.partition(": ")
        yield rest if colon and beginning == last else sentence
        last = beginning


def describe_other_frameworks(group: Group) -> Iterator[str]:
    """Yield the best mode of each framework that is shown to be slower than the leading one."""
    best = list_best_modes(group)
    # Estimates alone make no mode the leader.
    if not best or group.standings[0].best > 1:
        return
    pairs = group.pairs
    found = [(other, pairs[best[0].label, other.label]) for other in best[1:]]
    slower = [
        f"{other.label}, the best of {format_framework(other)}, takes {format_ratio(each.ratio.estimate)} times as long"
        for other, each in found
        if each.claimed_faster == best[0].label
    ]
    rest = len(slower) - MAX_NAMES
    if slower:
        more = f"; {rest} other {'framework is' if rest == 1 else 'frameworks are'} slower still" if rest > 0 else ""
        yield f"{'; '.join(slower[:MAX_NAMES])}{more}."


def describe_payoffs(group: Group) -> Iterator[str]:
    """Yield which compiled modes pay off against the mode of their framework that they have to beat, and when."""
    found = [each for each in find_break_evens(group) if each.other == find_sibling(group, each.mode)]
    said = {
        "pays off for": list_payoffs([each for each in found if each.payoff is Payoff.PAYS]),
        "never pays off for": count_names([each.mode for each in found if each.payoff is Payoff.NEVER], "or"),
        "is not known to pay off for": count_names([each.mode for each in found if each.payoff is Payoff.OPEN], "or"),
    }
    if found:
        yield f"Compiling {'; it '.join(f'{verb} {modes}' for verb, modes in said.items() if modes)}."


def list_payoffs(found: Sequence[BreakEven]) -> str:
    """Return the modes that pay off with their numbers of calls, or the range of these numbers if they are many."""
    if len(found) <= MAX_NAMES:
        return join_names([f"{each.mode} {describe_amortisation(each.calls)}" for each in found], "and")
    numbers = sorted(round_counts(each.calls).estimate for each in found)
    return f"{len(found)} modes, after about {format_count(numbers[0])} to {format_count(numbers[-1])} calls"


def count_leaders(groups: Sequence[Group]) -> str:
    """Return how many groups each mode leads, as one sentence."""
    leaders = Counter(leader.label for group in groups if (leader := find_fastest(group)) is not None)
    said = [f"{label} in {count}" for label, count in leaders.most_common()]
    undecided = len(groups) - leaders.total()
    if not said:
        return f"None of the {len(groups)} computations has a single fastest mode."
    rest = f"; {undecided} {'has' if undecided == 1 else 'have'} no single fastest mode" if undecided else ""
    return f"Fastest of {len(groups)} computations: {join_names(said, 'and')}{rest}."


def count_payoffs(groups: Sequence[Group]) -> Iterator[str]:
    """Yield in how many groups each compiled mode pays off against the mode that it has to beat."""
    asked, paid = Counter[str](), Counter[str]()
    for group in groups:
        for mode, payoff in find_payoffs(group):
            asked[mode] += 1
            paid[mode] += payoff is Payoff.PAYS
    said = [f"for {mode} in {count or 'none'} of {asked[mode]}" for mode, count in paid.most_common()]
    if paid.total():
        yield f"Compiling pays off {join_names(said, 'and')}."
    elif said:
        yield "Compiling is not shown to pay off in any of them."


def write_notes(groups: Sequence[Group]) -> list[str]:
    """Return the reservations of all groups, each once: notes, cells without a rank, doubts, and the A/A checks."""
    notes = [
        *describe_notes(groups),
        *describe_unranked_cells(groups),
        *chain.from_iterable(list_sentences(groups, describe) for describe in RESERVATIONS),
        *describe_doubtful_cells(groups),
        *describe_clones(groups),
    ]
    return [to_printable(note) for note in notes]


def list_sentences(groups: Sequence[Group], describe: Callable[[Group], Iterable[str]]) -> Iterable[str]:
    """Return what a function says of all groups, each sentence once."""
    return dict.fromkeys(sentence for group in groups for sentence in describe(group))


# What is said of one group after another, between what is said of all cells.
RESERVATIONS: Final[Sequence[Callable[[Group], Iterable[str]]]] = (
    describe_moved_baseline,
    describe_generation,
    lambda group: describe_throughput(group.ranked),
    lambda group: describe_growth(list_measured(group)),
    describe_refused_blocks,
    describe_rank_blocks,
)


def describe_notes(groups: Sequence[Group]) -> Iterator[str]:
    """Yield what a reader of the results must know, with the modes of which it is true unless it is all of them."""
    alike: dict[str, list[str]] = {}
    measured = [result for group in groups for result in list_measured(group)]
    for result in measured:
        for note in result.notes:
            alike.setdefault(note, []).append(result.label)
    for note, labels in alike.items():
        yield note if len(labels) == len(measured) else f"{count_names(labels, 'and')}: {note}"


def describe_unranked_cells(groups: Sequence[Group]) -> Iterator[str]:
    """Yield the cells without a rank: once for all that share an outcome and its reason."""
    alike = defaultdict[str, list[str]](list)
    for result in (result for group in groups for result in group.results):
        if result.outcome is None:
            alike["not run"].append(result.label)
        elif result.outcome != "measured":
            alike[f"{result.outcome}: {result.reason}"].append(result.label)
    yield from (f"Not ranked: {count_names(labels, 'and')} ({why})." for why, labels in alike.items())


def describe_doubtful_cells(groups: Sequence[Group]) -> Iterator[str]:
    """Yield the disturbed cells, and those that were not steady, in one sentence."""
    every = [result for group in groups for result in list_measured(group)]
    said = list(describe_grades(every))
    if shared := [result for result in every if result.bounded_by_cpu_time]:
        said.append(f"{count_cells(shared, every)}: {SHARED_MACHINE}")
    if unsteady := [result for result in every if result.steadiness in UNSTEADY]:
        said.append(f"{count_cells(unsteady, every)} not reliably steady after warm-up")
    if said:
        yield f"Doubts: {'; '.join(said)}."


def describe_grades(every: Sequence[Result]) -> Iterator[str]:
    """Yield the disturbed cells by grade, with their flags."""
    for grade in ("B", "C"):
        alike = [result for result in every if result.grade == grade]
        flags = sorted(frozenset[str]().union(*(result.flags for result in alike)))
        if alike:
            yield f"{count_cells(alike, every)} graded {grade} ({', '.join(flags)})"


def describe_clones(groups: Sequence[Group]) -> Iterator[str]:
    """Yield the result of the A/A checks that made no false claim; the others are alarms."""
    clones = [group.clone for group in groups if group.clone is not None]
    passed = [clone for clone in clones if clone.verdict is Verdict.EQUIVALENT]
    if len(clones) > 1:
        yield f"A/A checks passed: {len(passed)} of {len(clones)}."
    for clone in clones if len(clones) == 1 else ():
        # The interval that decides, with room for disturbances.
        interval = format_ratio_range(clone.undisturbed or clone.ratio)
        shown = f"{clone.baseline} against itself is {clone.verdict} ({interval})"
        if clone in passed:
            yield f"A/A check passed: {shown}."
        elif not interval:
            yield f"A/A check undecided: {clone.blocks} processes each are too few for an interval."
        elif is_honest_clone(clone):
            yield f"A/A check undecided: {clone.baseline} against itself is at {interval}."


def count_cells(some: Sequence[Result], every: Sequence[Result]) -> str:
    """Return a few cells by name, or how many they are out of all."""
    labels = list(dict.fromkeys(result.label for result in some))
    if len(labels) <= MAX_NAMES:
        return join_names(labels, "and")
    return "all cells" if len(some) == len(every) else f"{len(some)} of {len(every)} cells"


def count_names(labels: Iterable[str], word: str) -> str:
    """Return a few modes by name, or how many they are."""
    names = list(dict.fromkeys(labels))
    return join_names(names, word) if len(names) <= MAX_NAMES else f"{len(names)} modes"
