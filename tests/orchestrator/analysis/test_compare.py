"""Claims about pairs of cells, seen from either side, and about their ranks."""

import dataclasses
import math
from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.compare import (
    Comparison,
    Scores,
    Verdict,
    are_even,
    compare_all_and_some,
    compare_all_pairs,
    compare_pairs,
    index_both_ways,
)
from orchestrator.analysis.standings import compute_rank_ranges, compute_standings
from orchestrator.analysis.statistics.intervals import Interval

STEADY = (0.001, -0.002, 0.003, -0.004, 0.005, -0.006, 0.007, -0.008, 0.009, -0.010, 0.011, -0.012)


BASELINE = Scores(dict.fromkeys(range(12), 0.0), dict.fromkeys(range(12), 0.0))


Sweep = dict[str, Scores]


def cell(ratio: float, *, typical: float | None = None, noise: float = 1, blocks: int = 12) -> Scores:
    """Return a cell that takes `ratio` times as long as BASELINE, plus or minus about one per cent times `noise`."""

    def scores(of: float) -> dict[int, float]:
        return {block: math.log(of) + noise * STEADY[block] for block in range(blocks)}

    return Scores(scores(ratio), scores(ratio if typical is None else typical))


def against_baseline(scores: Scores, baseline: Scores = BASELINE) -> Comparison:
    (found,) = compare_all_pairs({"base": baseline, "cell": scores})
    return found


def lose(scores: Scores, share: float, blocks: Collection[int] = range(12)) -> Scores:
    """Return scores of which disturbances can have cost this share of the time, in these blocks."""
    least = {block: log + math.log(1 - share) for block, log in scores.floor.items() if block in blocks}
    return dataclasses.replace(scores, least=least)


def claim(faster: str, slower: str, verdict: Verdict = Verdict.SLOWER, ratio: float = 1.5) -> Comparison:
    """Return a comparison by which `slower` takes `ratio` times as long as `faster`."""
    interval = Interval(ratio, ratio * 0.99, ratio * 1.01)
    return Comparison(
        baseline=faster,
        cell=slower,
        blocks=12,
        ratio=interval,
        typical_ratio=interval,
        p=0.001,
        significant=True,
        verdict=verdict,
    )


@st.composite
def sweeps(draw: st.DrawFn) -> Sweep:
    """Draw two to five cells over up to sixteen blocks, with missing blocks and some equal levels."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    levels = draw(st.lists(st.sampled_from([0.0, 0.01, 0.1, 0.5]), min_size=2, max_size=5))
    k = draw(st.integers(0, 16))

    def scores(level: float) -> dict[int, float]:
        return {b: level + rng.normal(0, 0.02) for b in range(k) if rng.random() < 0.95}

    return {f"cell {i}": Scores(scores(level), scores(level)) for i, level in enumerate(levels)}


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        (cell(0.9), Verdict.FASTER),
        (cell(1.1), Verdict.SLOWER),
        (cell(1.012), Verdict.DIFFERENT_BUT_SMALL),
        (cell(1.0), Verdict.EQUIVALENT),
        (cell(1.0, noise=10), Verdict.UNRESOLVED),
        (cell(0.5, blocks=5), Verdict.UNRESOLVED),
        (cell(1.1, typical=0.98), Verdict.ESTIMATOR_DEPENDENT),
    ],
)
def test_each_verdict_has_its_case(scores: Scores, verdict: Verdict) -> None:
    assert against_baseline(scores).verdict is verdict


def test_a_ratio_is_time_of_the_cell_over_time_of_the_baseline() -> None:
    found = against_baseline(cell(2.0))
    assert found.ratio.low < 2 < found.ratio.high
    assert found.ratio.estimate == pytest.approx(2, rel=0.01)


def test_disagreeing_estimators_cannot_take_away_what_nobody_claimed() -> None:
    assert against_baseline(cell(1.0001, typical=0.9999)).verdict is Verdict.EQUIVALENT


def test_ties_with_the_baseline_leave_no_claim_though_the_test_is_significant() -> None:
    tied = dict(enumerate([0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.2, 0.3, 0.4, 0.5]))
    found = against_baseline(Scores(tied, tied))
    assert (found.significant, found.ratio.low, found.verdict) == (True, 1, Verdict.UNRESOLVED)


def test_disturbances_take_a_claim_away_only_if_they_can_have_caused_the_difference() -> None:
    slower, twice = cell(1.1), cell(2.0)
    assert against_baseline(lose(slower, 0.05)).verdict is Verdict.SLOWER
    assert against_baseline(lose(slower, 0.15)).verdict is Verdict.UNRESOLVED
    assert against_baseline(lose(twice, 0.15)).verdict is Verdict.SLOWER


def test_disturbances_of_the_faster_cell_cannot_have_caused_the_difference() -> None:
    assert against_baseline(cell(1.1), lose(BASELINE, 0.5)).verdict is Verdict.SLOWER
    assert against_baseline(lose(cell(0.9), 0.5)).verdict is Verdict.FASTER
    assert against_baseline(cell(0.9), lose(BASELINE, 0.5)).verdict is Verdict.UNRESOLVED


def test_half_of_the_blocks_disturbed_can_have_caused_a_difference() -> None:
    assert against_baseline(cell(1.03)).verdict is Verdict.SLOWER
    assert against_baseline(lose(cell(1.03), 0.2, range(0, 12, 2))).verdict is Verdict.UNRESOLVED


def test_two_cells_are_equivalent_only_if_disturbances_cannot_hide_a_difference() -> None:
    assert against_baseline(cell(1.0)).verdict is Verdict.EQUIVALENT
    assert against_baseline(lose(cell(1.0), 0.005)).verdict is Verdict.EQUIVALENT
    assert against_baseline(lose(cell(1.0), 0.05)).verdict is Verdict.UNRESOLVED
    assert against_baseline(cell(1.0), lose(BASELINE, 0.05)).verdict is Verdict.UNRESOLVED


def test_the_interval_with_room_for_disturbances_contains_the_measured_one() -> None:
    plain, lost = against_baseline(cell(1.1)), against_baseline(lose(cell(1.1), 0.05))
    assert plain.undisturbed is None
    assert lost.undisturbed is not None
    assert (lost.ratio, lost.p, lost.significant) == (plain.ratio, plain.p, plain.significant)
    assert lost.undisturbed.low == pytest.approx(0.95 * lost.ratio.low)
    assert lost.undisturbed.high == lost.ratio.high
    flipped = lost.flipped().undisturbed
    assert flipped is not None
    assert flipped.high == pytest.approx(1 / lost.undisturbed.low)


def test_a_difference_without_a_claim_says_whether_disturbances_explain_it() -> None:
    assert against_baseline(lose(cell(1.1), 0.15)).is_explained_by_disturbances
    assert not against_baseline(lose(cell(1.1), 0.05)).is_explained_by_disturbances
    assert not against_baseline(lose(cell(1.0, noise=10), 0.15)).is_explained_by_disturbances


def sampled(level: float, samples: int, seed: int) -> Scores:
    """Return scores of processes that took this number of samples, each longer than the level by up to ten per cent."""
    rng = np.random.default_rng(seed)
    times = {block: np.sort(level + rng.uniform(0, 0.1, samples)).tolist() for block in range(16)}
    floors = {block: each[0] for block, each in times.items()}
    return Scores(floors, dict.fromkeys(floors, level + 0.05), samples=times)


def test_processes_with_fewer_samples_are_not_slower_for_that() -> None:
    few, many = sampled(0.0, 10, 1), sampled(0.0, 100, 2)
    bare = [dataclasses.replace(each, samples={}) for each in (many, few)]
    assert compare_all_pairs({"many": bare[0], "few": bare[1]})[0].ratio.low > 1.003
    (fair,) = compare_all_pairs({"many": many, "few": few})
    assert (fair.blocks, fair.reason) == (16, "")
    assert fair.ratio.low < 1 < fair.ratio.high


def test_a_cell_with_few_undisturbed_samples_is_not_slower_for_that() -> None:
    """Compare a cell with the fastest of ten undisturbed samples with one that has a hundred."""
    few, many = sampled(0.0, 100, 1), sampled(0.0, 100, 2)
    few = dataclasses.replace(few, floor={block: times[10] for block, times in few.samples.items()})
    measured = compare_all_pairs({"many": many, "few": few})[0]
    assert measured.verdict is Verdict.DIFFERENT_BUT_SMALL
    few = dataclasses.replace(few, undisturbed=dict.fromkeys(few.floor, 10))
    (found,) = compare_all_pairs({"many": many, "few": few})
    assert found.ratio == measured.ratio
    assert found.verdict is not Verdict.DIFFERENT_BUT_SMALL
    assert found.is_explained_by_disturbances


def test_disturbances_of_processes_with_unequal_numbers_of_samples_count_as_much() -> None:
    few, many = lose(sampled(0.0, 10, 1), 0.02, range(16)), sampled(0.0, 100, 2)
    (found,) = compare_all_pairs({"many": many, "few": few})
    assert found.undisturbed is not None
    assert found.undisturbed.low == pytest.approx(0.98 * found.ratio.low)


@given(sweeps())
def test_two_families_of_the_same_pairs_are_what_each_is_alone(sweep: Sweep) -> None:
    pairs = [(b, a) if place % 2 else (a, b) for place, (a, b) in enumerate(combinations(sweep, 2))]
    every, some = compare_all_and_some(sweep, pairs[::2] + pairs[1::2])
    assert repr(every) == repr(compare_all_pairs(sweep))
    assert repr(some) == repr(compare_pairs(sweep, pairs[::2] + pairs[1::2]))


@pytest.mark.parametrize("changed", ["samples", "undisturbed", "least", ""])
def test_floors_are_taken_as_they_are_only_if_that_changes_nothing(changed: str) -> None:
    one, other = sampled(0.0, 20, 1), sampled(0.1, 20, 2)
    blocks = dict.fromkeys(one.floor, 20)
    one, other = (dataclasses.replace(each, undisturbed=blocks, least=each.floor) for each in (one, other))
    other = {
        "samples": lambda: sampled(0.1, 15, 2),
        "undisturbed": lambda: dataclasses.replace(other, undisturbed=blocks | {3: 9}),
        "least": lambda: lose(other, 0.01, [3]),
        "": lambda: other,
    }[changed]()
    (plain,) = compare_all_pairs({"one": one, "other": other})
    assert are_even(one, other) == (not changed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("orchestrator.analysis.compare.are_even", lambda *_: False)
        assert repr(compare_all_pairs({"one": one, "other": other})) == repr((plain,))


def test_pairs_that_are_not_compared_do_not_weigh_on_the_others() -> None:
    scores = {"a": cell(1.0, blocks=8), "b": cell(1.1, noise=-1, blocks=8)}
    scores |= {name: cell(1.05, noise=float(name), blocks=8) for name in "2345"}
    (alone,) = compare_pairs(scores, [("a", "b")])
    assert alone.verdict is Verdict.SLOWER
    assert index_both_ways(compare_all_pairs(scores))["a", "b"].verdict is Verdict.UNRESOLVED


@given(sweeps(), st.floats(0, 0.2), st.integers(0, 10_000))
def test_disturbances_only_ever_take_claims_away(sweep: Sweep, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lost = {
        name: lose(scores, share, [block for block in scores.floor if rng.random() < 0.5])
        for name, scores in sweep.items()
    }
    for plain, bounded in zip(compare_all_pairs(sweep), compare_all_pairs(lost), strict=True):
        bounds = bounded.undisturbed or bounded.ratio
        assert (bounded.ratio.low, bounded.ratio.high) == (plain.ratio.low, plain.ratio.high)
        assert bounds.low <= bounded.ratio.low
        assert bounds.high >= bounded.ratio.high
        if bounded.verdict is not Verdict.UNRESOLVED and bounded.verdict is not plain.verdict:
            # A claim that disturbances explain may still be a difference within the margin.
            assert (bounded.verdict, plain.verdict) in {
                (Verdict.EQUIVALENT, Verdict.DIFFERENT_BUT_SMALL),
                (Verdict.EQUIVALENT, Verdict.ESTIMATOR_DEPENDENT),
            }


def test_only_blocks_that_both_cells_have_are_compared() -> None:
    late = Scores(dict.fromkeys(range(9, 30), 0.1), dict.fromkeys(range(9, 30), 0.1))
    assert against_baseline(late).blocks == 3


def test_cells_that_share_no_block_stay_unresolved() -> None:
    found = against_baseline(Scores({99: 0.0}, {99: 0.0}))
    assert (found.blocks, found.verdict, found.log_half_width) == (0, Verdict.UNRESOLVED, math.inf)
    assert math.isnan(found.flipped().ratio.estimate)


def test_the_margin_is_the_same_share_up_and_down() -> None:
    found = against_baseline(cell(1.0))
    width = max(found.ratio.high, 1 / found.ratio.low) - 1
    for scores in (cell(1.0), Scores({b: -v for b, v in cell(1.0).floor.items()}, {})):
        sweep = {"base": BASELINE, "cell": scores}
        assert compare_all_pairs(sweep, margin=width + 1e-9)[0].verdict is Verdict.EQUIVALENT
        assert compare_all_pairs(sweep, margin=width - 1e-9)[0].verdict is Verdict.UNRESOLVED


def test_what_one_pair_may_claim_needs_more_blocks_among_many() -> None:
    two = {"a": cell(1.0, blocks=8), "b": cell(1.1, noise=-1, blocks=8)}
    many = two | {name: cell(1.05, noise=float(name), blocks=8) for name in "2345"}
    assert index_both_ways(compare_all_pairs(two))["a", "b"].verdict is Verdict.SLOWER
    crowded = index_both_ways(compare_all_pairs(many))["a", "b"]
    assert (crowded.significant, crowded.verdict) == (False, Verdict.UNRESOLVED)
    assert crowded.p == index_both_ways(compare_all_pairs(two))["a", "b"].p


@pytest.mark.parametrize("verdict", Verdict)
def test_flipping_exchanges_faster_and_slower_only(verdict: Verdict) -> None:
    exchanged = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}
    flipped = claim("a", "b", verdict).flipped()
    assert (flipped.baseline, flipped.cell) == ("b", "a")
    assert flipped.verdict is exchanged.get(verdict, verdict)
    assert flipped.ratio.low < flipped.ratio.estimate < flipped.ratio.high < 1
    assert flipped.claimed_faster == claim("a", "b", verdict).claimed_faster


@given(sweeps())
def test_the_order_of_cells_does_not_change_the_findings(sweep: Sweep) -> None:
    forwards = compare_all_pairs(sweep)
    backwards = index_both_ways(compare_all_pairs(dict(reversed(sweep.items()))))
    for found in forwards:
        mirror = backwards[found.baseline, found.cell]
        assert (mirror.verdict, mirror.p, mirror.blocks) == (found.verdict, found.p, found.blocks)
        assert mirror.ratio.low == pytest.approx(found.ratio.low)
        assert mirror.ratio.high == pytest.approx(found.ratio.high)


@given(sweeps(), st.sampled_from([1e-6, 1e3]))
def test_the_unit_of_time_does_not_change_the_findings(sweep: Sweep, unit: float) -> None:
    def shifted(values: Scores) -> Scores:
        shift = math.log(unit)
        return Scores(
            {block: value + shift for block, value in values.floor.items()},
            {block: value + shift for block, value in values.typical.items()},
        )

    rescaled = compare_all_pairs({name: shifted(values) for name, values in sweep.items()})
    for found, again in zip(compare_all_pairs(sweep), rescaled, strict=True):
        assert (found.verdict, found.p, found.significant) == (again.verdict, again.p, again.significant)
        assert again.ratio.low == pytest.approx(found.ratio.low)


@given(sweeps())
def test_every_claim_is_significant_and_excludes_equality(sweep: Sweep) -> None:
    for found in compare_all_pairs(sweep):
        if found.claimed_faster is not None:
            assert found.significant
            assert not found.ratio.low <= 1 <= found.ratio.high


@given(sweeps())
def test_ranks_agree_with_every_claim(sweep: Sweep) -> None:
    comparisons = compare_all_pairs(sweep)
    open_ranks = compute_rank_ranges(sweep, comparisons)
    assert all(1 <= best <= worst <= len(sweep) for best, worst in open_ranks.values())
    for found in comparisons:
        if found.claimed_faster == found.cell:
            assert open_ranks[found.cell][0] < open_ranks[found.baseline][1]


def test_without_claims_every_rank_is_open() -> None:
    tied = compare_all_pairs({name: cell(1.0) for name in "abc"})
    assert compute_rank_ranges("abc", tied) == {"a": (1, 3), "b": (1, 3), "c": (1, 3)}


def test_ranks_count_those_claimed_faster_and_slower() -> None:
    chain = [claim(a, b) for a, b in combinations("abc", 2)]
    assert compute_rank_ranges("abc", chain) == {"a": (1, 1), "b": (2, 2), "c": (3, 3)}


def test_a_small_difference_is_a_rank_and_a_withdrawn_one_is_none() -> None:
    assert compute_rank_ranges("ab", [claim("a", "b", Verdict.DIFFERENT_BUT_SMALL)]) == {"a": (1, 1), "b": (2, 2)}
    for withdrawn in (Verdict.UNRESOLVED, Verdict.ESTIMATOR_DEPENDENT):
        assert compute_rank_ranges("ab", [claim("a", "b", withdrawn)]) == {"a": (1, 2), "b": (1, 2)}


def test_cells_left_out_of_the_ranking_take_no_rank() -> None:
    chain = [claim(a, b) for a, b in combinations("abc", 2)]
    assert compute_rank_ranges("bc", chain) == {"b": (1, 1), "c": (2, 2)}


def test_what_follows_from_two_claims_is_known_without_a_third() -> None:
    # The default question: each mode is compared with the baseline "b", and the others not with each other.
    beside_baseline = [claim("a", "b"), claim("b", "c"), claim("b", "d", Verdict.UNRESOLVED)]
    assert compute_rank_ranges("abcd", beside_baseline) == {"a": (1, 2), "b": (2, 3), "c": (3, 4), "d": (1, 4)}
    tied = {standing.cell: standing.tied_with for standing in compute_standings("abcd", beside_baseline)}
    assert {cell: set(others) for cell, others in tied.items()} == {"a": {"d"}, "b": {"d"}, "c": {"d"}, "d": set("abc")}


@given(st.permutations("abcdef"))
def test_neighbours_claims_order_everything_whatever_their_sequence(cells: Sequence[str]) -> None:
    neighbours = [claim(a, b) for a, b in zip("abcde", "bcdef", strict=True)]
    expected = {cell: (place, place) for place, cell in enumerate("abcdef", 1)}
    assert compute_rank_ranges(cells, neighbours) == expected


def test_nothing_follows_from_claims_in_a_circle() -> None:
    circle = [claim("a", "b"), claim("b", "c"), claim("c", "a")]
    # Each was claimed to beat one and to be beaten by one.
    assert compute_rank_ranges("abc", circle) == {"a": (2, 2), "b": (2, 2), "c": (2, 2)}


def told_apart(cells: Sequence[Comparison]) -> dict[str, tuple[str, ...]]:
    return {standing.cell: standing.tied_with for standing in compute_standings("abc", cells)}


def test_standings_name_every_tie() -> None:
    tie = claim("b", "c", Verdict.UNRESOLVED, 1.01)
    assert told_apart([claim("a", "b"), claim("a", "c"), tie]) == {"a": (), "b": ("c",), "c": ("b",)}


def test_two_cells_tied_with_a_third_are_not_thereby_tied_with_each_other() -> None:
    between = [claim("a", "b", Verdict.UNRESOLVED, 1.1), claim("b", "c", Verdict.UNRESOLVED, 1.1)]
    assert told_apart([claim("a", "c", ratio=1.2), *between]) == {"a": ("b",), "b": ("a", "c"), "c": ("b",)}


def test_standings_are_in_the_order_of_the_estimates() -> None:
    sweep = {"slow": cell(1.3), "fast": cell(0.7), "middle": cell(1.0)}
    assert [standing.cell for standing in compute_standings(sweep, compare_all_pairs(sweep))] == [
        "fast",
        "middle",
        "slow",
    ]


def test_a_cell_compared_with_none_stands_last_and_tied_with_all() -> None:
    last = compute_standings("abz", [claim("b", "a")])[-1]
    assert (last.cell, last.best, last.worst, last.tied_with) == ("z", 1, 3, ("b", "a"))
