"""The price of a verdict is exact where only blocks are missing, and otherwise a forecast that admits what it is."""

import dataclasses
import math
from collections.abc import Callable

import pytest

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.price import Price, is_clear, list_prices, measure_block_s
from orchestrator.analysis.results import Group
from orchestrator.analysis.statistics.looks import LOOKS, PLANNED, LookRule, blocks_needed
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecords = Callable[..., list[JobRecord]]
MakeGroup = Callable[..., Group]

MARGIN = 0.02


@pytest.fixture
def make_group(make_cell: MakeCell, make_records: MakeRecords) -> MakeGroup:
    """Make a group of cells with these times in nanoseconds."""

    def make(*times_ns: float, blocks: int, noise: float = 0.003, looks: LookRule = PLANNED, seed: int = 1) -> Group:
        cells = [make_cell("numpy:eager"), make_cell("synthetic:spin"), make_cell("torch:eager")][: len(times_ns)]
        records = make_records(list(zip(cells, times_ns, strict=True)), blocks=blocks, noise=noise, seed=seed)
        return group_results(records, cells, margin=MARGIN, looks=looks)[0]

    return make


def find_prices(group: Group, looks: LookRule = PLANNED) -> list[Price]:
    return list(list_prices(group, looks, MARGIN))


@pytest.mark.parametrize("blocks", [2, 3, 4, 5])
def test_a_clear_difference_lacks_exactly_the_blocks_that_its_family_needs(make_group: MakeGroup, blocks: int) -> None:
    (price,) = find_prices(make_group(23_000, 202_000, blocks=blocks))
    assert price.proves
    assert price.soonest == price.likely == price.latest == blocks_needed(1) - blocks


@pytest.mark.parametrize("modes", [2, 3])
def test_the_blocks_that_it_names_do_bring_the_verdict(make_group: MakeGroup, modes: int) -> None:
    times = (23_000, 202_000, 71_000)[:modes]
    for price in find_prices(make_group(*times, blocks=4)):
        assert price.likely is not None
        later = make_group(*times, blocks=4 + price.likely)
        assert {found.verdict for found in later.comparisons} <= {Verdict.FASTER, Verdict.SLOWER}
        one_less = make_group(*times, blocks=4 + price.likely - 1)
        assert {found.verdict for found in one_less.comparisons} == {Verdict.UNRESOLVED}


def test_a_verdict_that_is_there_has_no_price(make_group: MakeGroup) -> None:
    assert find_prices(make_group(1000, 3000, blocks=8)) == []
    assert find_prices(make_group(100_000, 100_000, blocks=12, noise=0.001)) == []


def test_what_noise_hides_has_a_forecast_or_no_end(make_group: MakeGroup) -> None:
    groups = [
        make_group(1e5, 1e5 * shift, blocks=8, noise=0.04, seed=seed) for seed in range(5) for shift in (1.0, 1.03)
    ]
    prices = [price for group in groups for price in find_prices(group)]
    assert len(prices) > 3
    for price in prices:
        assert not price.proves
        assert price.is_forecast
        known = [end for end in (price.soonest, price.likely, price.latest) if end is not None]
        assert known == sorted(known)
        assert all(0 < end <= LOOKS[-1] - 8 for end in known)
    (hopeless,) = find_prices(make_group(100_000, 100_000, blocks=8, noise=0.3))
    assert hopeless.likely is None
    assert 0 < hopeless.bound < math.inf


def test_a_bound_is_the_largest_difference_that_the_interval_leaves(make_group: MakeGroup) -> None:
    (price,) = find_prices(make_group(100_000, 100_000, blocks=8, noise=0.3))
    ratio = price.found.ratio
    assert price.bound == pytest.approx(max(ratio.high, 1 / ratio.low) - 1)
    (few,) = find_prices(make_group(100_000, 100_000, blocks=4, noise=0.3))
    assert few.bound == math.inf


def test_one_block_has_a_least_price_and_no_forecast(make_group: MakeGroup) -> None:
    (price,) = find_prices(make_group(23_000, 202_000, blocks=1))
    assert (price.proves, price.is_forecast) == (False, False)
    assert (price.soonest, price.likely, price.latest) == (blocks_needed(1) - 1, blocks_needed(1) - 1, None)


def test_a_verdict_that_was_looked_for_before_needs_the_blocks_of_the_lower_level(make_group: MakeGroup) -> None:
    # Seven blocks could have shown a claim, so whoever goes on has looked: the family then needs more.
    groups = [make_group(1e5, 1.05e5, 1.1e5, blocks=8, noise=0.06, seed=seed) for seed in range(4)]
    prices = [price for group in groups for price in find_prices(group)]
    # An equivalence, which may come sooner, is out of reach of so much noise.
    known = [price.soonest for price in prices if price.soonest is not None]
    assert known
    assert min(known) >= blocks_needed(len(groups[0].comparisons), 0.01) - 8
    verdicts = LookRule(on_verdicts=True)
    (early,) = find_prices(make_group(23_000, 202_000, blocks=4, looks=verdicts), verdicts)
    assert early.likely == blocks_needed(1, 0.01) - 4


def test_a_difference_that_a_disturbance_may_explain_lacks_quiet_and_not_blocks(make_group: MakeGroup) -> None:
    group = make_group(1000, 3000, blocks=8)
    (found,) = group.comparisons
    barred = dataclasses.replace(group, comparisons=(dataclasses.replace(found, verdict=Verdict.UNRESOLVED),))
    (price,) = find_prices(barred)
    assert (price.disturbed, price.likely) == (True, None)


@pytest.mark.parametrize(
    ("ratios", "clear"),
    [
        ([1.0, 1.1, 0.9], True),
        ([-1.0, -1.1, -0.9], True),
        ([1.0, -1.0, 1.0], False),
        ([0.5, 0.1, 0.3], False),
        ([1.0], False),
        ([], False),
        ([0.0, 0.0], False),
    ],
)
def test_a_difference_is_clear_if_all_blocks_show_it_far_beyond_their_scatter(ratios: list[float], clear: bool) -> None:
    assert is_clear(ratios) is clear


def test_a_block_lasts_as_long_as_its_jobs_together(make_records: MakeRecords, make_cell: MakeCell) -> None:
    cells = [(make_cell("numpy:eager"), 1000.0), (make_cell("synthetic:spin"), 1000.0)]
    assert measure_block_s(make_records(cells, blocks=5)) == pytest.approx(4.0)  # two jobs of two seconds
    assert measure_block_s([]) == 0
