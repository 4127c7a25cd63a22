import math
from collections.abc import Callable, Sequence

import pytest

from orchestrator.analysis import stopping
from orchestrator.analysis.compare import Comparison, Verdict, compare_all_pairs, index_both_ways
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.statistics.looks import ALPHA_ON_VERDICTS, LOOKS, LookRule, list_looks
from orchestrator.analysis.stopping import has_reached_half_width, should_stop
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from schemas.sweep import SweepSpec
from tests.orchestrator.analysis.test_compare import BASELINE, cell, claim

MakeCell = Callable[..., Cell]


MakeRecords = Callable[..., list[JobRecord]]


SPEC = SweepSpec.model_validate({"stop": {"precision": 0.02}})


def is_precise(cells: Sequence[Cell], records: Sequence[JobRecord], block: int) -> bool:
    return stopping.has_reached_goal(SPEC, cells, records, block)


def test_a_sweep_has_enough_when_every_group_is_precise(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("numpy:eager"), make_cell("synthetic:spin")]
    times = [(cell, 1000) for cell in cells]
    assert is_precise(cells, make_records(times, blocks=12), 12)
    assert not is_precise(cells, make_records(times, blocks=12, noise=0.2), 12)
    assert not is_precise(cells, make_records(times, blocks=2), 2)
    assert not is_precise(cells, make_records(times, blocks=13), 13)


@pytest.mark.parametrize("pairs", ["asked", "all"])
def test_a_sweep_does_not_end_before_its_ranks_can_be_told(
    make_cell: MakeCell, make_records: MakeRecords, pairs: str
) -> None:
    cells = [make_cell(label) for label in ("torch:eager", "torch:trace", "torch:script", "jax:jit", "numpy:eager")]
    records, spec = make_records([(cell, 1000) for cell in cells], blocks=9), SPEC.model_copy(update={"pairs": pairs})
    # Ten pairs need nine blocks, whatever is compared.
    assert [block for block in range(1, 13) if stopping.has_reached_goal(spec, cells, records, block)] == [9, 12]
    few = [record for record in records if record.spec.cell in cells[:3]]
    assert [block for block in range(1, 10) if stopping.has_reached_goal(spec, cells[:3], few, block)] == [8]


def test_the_clone_and_other_computations_are_no_modes_to_rank(make_cell: MakeCell) -> None:
    modes = [make_cell(label) for label in ("torch:eager", "torch:trace", "torch:script")]
    others = [make_cell("torch:eager", workload="rnn"), make_cell("torch:eager", replica=1)]
    assert stopping.count_ranked_pairs([*modes, *others]) == 3
    assert stopping.count_ranked_pairs(others[:1]) == 0


@pytest.mark.parametrize(
    ("pairs", "first"), [(0, 8), (1, 8), (5, 8), (6, 9), (10, 9), (15, 10), (28, 11), (45, 12), (190, 12)]
)
def test_the_first_look_has_enough_blocks_for_ranks_up_to_the_second_one(pairs: int, first: int) -> None:
    looks = list_looks(pairs)
    assert looks == (first, *[look for look in LOOKS if look > first])
    assert len(looks) <= len(LOOKS)  # never more chances than the level pays for


def test_a_cell_without_a_ratio_has_enough_when_its_time_is_precise(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell(), make_cell(replica=1)]
    times = [(cell, 1000) for cell in cells]
    assert is_precise(cells, make_records(times, blocks=8), 8)
    assert not is_precise(cells, make_records(times, blocks=12, noise=0.2), 12)
    assert is_precise(cells, make_records(times, blocks=LOOKS[-1], noise=0.2), LOOKS[-1])


def test_a_precise_group_does_not_end_a_sweep_in_which_another_cell_is_alone_and_noisy(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell("numpy:eager"), make_cell("synthetic:spin"), make_cell(workload="rnn")]
    precise = make_records([(cell, 1000) for cell in cells[:2]], blocks=12)
    assert is_precise(cells, [*precise, *make_records([(cells[2], 1000)], blocks=12)], 12)
    assert not is_precise(cells, [*precise, *make_records([(cells[2], 1000)], blocks=12, noise=0.2)], 12)


def test_the_interval_of_a_time_is_as_narrow_as_the_sentence_about_it_says(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cell = make_cell()
    for seed in range(20):
        records = make_records([(cell, 1000)], blocks=12, noise=0.02, seed=seed)
        (group,) = group_results(records, [cell])
        time = group.results[0].floor_ns
        within = time.high <= time.estimate * math.exp(0.02) and time.low >= time.estimate * math.exp(-0.02)
        assert stopping.has_precise_times(group, 0.02) == within


@pytest.mark.parametrize(
    ("modes", "sentence"),
    [
        (["numpy mlp"], "the time is known to ±2 %"),
        (["numpy mlp", "numpy rnn"], "every time is known to ±2 %"),
        (["numpy mlp", "synthetic mlp"], "every ratio to the baseline is known to ±2 %"),
        (
            ["numpy mlp", "synthetic mlp", "numpy rnn"],
            "every ratio to the baseline, and every time without a ratio, is known to ±2 %",
        ),
    ],
)
def test_what_is_said_of_the_precision_is_about_ratios_only_where_there_are_some(
    make_cell: MakeCell, make_records: MakeRecords, modes: list[str], sentence: str
) -> None:
    cells = [make_cell(f"{name}:eager", workload=workload) for name, workload in map(str.split, modes)]
    cells.append(cells[0].model_copy(update={"replica": 1}))
    records = make_records([(cell, 1000) for cell in cells], blocks=8)
    assert stopping.describe_goal(SPEC, cells, records) == sentence


@pytest.mark.parametrize(
    ("modes", "noise", "blocks", "start", "end"),
    [
        (
            ["numpy", "synthetic"],
            0.2,
            8,
            "the least precise ratio to the baseline is known to ±",
            ", and ±2 % was requested",
        ),
        (["numpy", "synthetic"], 0.003, 4, "not every ratio to the baseline has an interval yet", "±2 % was requested"),
        (["numpy"], 0.2, 8, "the times are known less precisely than", "the requested ±2 %"),
    ],
)
def test_no_precision_is_claimed_that_was_not_reached(
    make_cell: MakeCell, make_records: MakeRecords, modes: list[str], noise: float, blocks: int, start: str, end: str
) -> None:
    cells = [make_cell(f"{name}:eager") for name in modes]
    said = stopping.describe_precision(SPEC, cells, make_records([(cell, 1000) for cell in cells], blocks, noise))
    assert said.startswith(start)
    assert said.endswith(end)


def test_the_shortfall_names_the_half_width_of_the_widest_ratio(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("numpy:eager"), make_cell("synthetic:spin"), make_cell("torch:eager")]
    records = make_records([(cell, 1000) for cell in cells], blocks=12, noise=0.1)
    (group,) = group_results(records, cells)
    widest = max(pair.log_half_width for pair in group.against.values())
    assert f"known to ±{100 * widest:.1f} %," in stopping.describe_precision(SPEC, cells, records)


def test_a_cell_that_was_not_measured_has_no_time_to_be_precise_about(
    make_cell: MakeCell, make_records: MakeRecords, make_record: Callable[..., JobRecord]
) -> None:
    cells = [make_cell("numpy:eager"), make_cell("synthetic:spin"), make_cell(workload="rnn")]
    records = [*make_records([(cell, 1000) for cell in cells[:2]], blocks=8), make_record(cells[2], outcome="wrong")]
    assert is_precise(cells, records, 8)
    assert stopping.describe_goal(SPEC, cells, records) == "every ratio to the baseline is known to ±2 %"


BY_THREADS = SPEC.model_copy(update={"compare_by": "threads"})


def test_a_sweep_along_an_axis_has_enough_when_its_ratios_are_precise(
    make_cell: MakeCell, make_record: Callable[..., JobRecord]
) -> None:
    """Times that drift together are imprecise, and their ratio is not: that ratio is what was asked for."""
    cells = [make_cell(threads=threads) for threads in (1, 2)]
    drifting = [
        make_record(cell, block, call_ns=1000 * block // cell.threads) for block in range(1, 9) for cell in cells
    ]
    assert stopping.has_reached_goal(BY_THREADS, cells, drifting, 8)
    assert not is_precise(cells, drifting, 8)
    assert stopping.describe_precision(BY_THREADS, cells, drifting) == "every ratio to the baseline is known to ±2 %"
    assert "less precisely" in stopping.describe_precision(SPEC, cells, drifting)


def test_a_sweep_along_an_axis_goes_on_while_a_ratio_along_it_is_wide(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell(label, threads=threads) for threads in (1, 2) for label in ("numpy:eager", "synthetic:spin")]
    one = make_records([(cell, 1000) for cell in cells[:2]], noise=0.001)
    two = make_records([(cell, 1000) for cell in cells[2:]], noise=0.001, seed=2)
    assert stopping.has_reached_goal(BY_THREADS, cells, [*one, *two], 12)
    # Within two threads nothing changes; between the numbers of threads, each block differs.
    swayed = [
        record.model_copy(update={"result": sway_report(record, 1 + 0.1 * (record.spec.block % 5))}) for record in two
    ]
    assert is_precise(cells, [*one, *swayed], 12)
    assert not stopping.has_reached_goal(BY_THREADS, cells, [*one, *swayed], 12)
    assert "the least precise ratio" in stopping.describe_precision(BY_THREADS, cells, [*one, *swayed])


def sway_report(record: JobRecord, factor: float) -> Report:
    assert record.report is not None
    samples = tuple(round(sample * factor) for sample in record.report.samples_ns)
    return record.report.model_copy(update={"samples_ns": samples})


def test_a_sweep_along_an_axis_that_was_asked_for_verdicts_ends_with_them(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    spec = SweepSpec.model_validate({"compare_by": "threads", "stop": {"until": "verdict", "precision": 0.0001}})
    cells = [make_cell(threads=threads) for threads in (1, 2)]
    looks = LookRule(on_verdicts=True)
    clear = make_records([(cells[0], 1000), (cells[1], 2000)], blocks=12)
    open_ = make_records([(cells[0], 1000), (cells[1], 1030)], blocks=12, noise=0.2)
    assert stopping.has_reached_goal(spec, cells, clear, 12, looks)
    assert stopping.describe_goal(spec, cells, clear, looks) == "every pair has its verdict"
    assert not stopping.has_reached_goal(spec, cells, open_, 12, looks)
    groups = stopping.group_sweep_results(spec, cells, clear, looks)
    assert [table.alpha for table in stopping.find_axis_tables(spec, groups, clear, looks)] == [ALPHA_ON_VERDICTS]


def test_a_cell_without_a_partner_along_the_axis_still_needs_a_precise_time(
    make_cell: MakeCell, make_record: Callable[..., JobRecord], make_records: MakeRecords
) -> None:
    cells = [*(make_cell(threads=threads) for threads in (1, 2)), make_cell(workload="rnn")]
    compared = make_records([(cell, 1000) for cell in cells[:2]], blocks=8)
    noisy = make_records([(cells[2], 1000)], blocks=8, noise=0.2)
    quiet = make_records([(cells[2], 1000)], blocks=8)
    assert stopping.has_reached_goal(BY_THREADS, cells, [*compared, *quiet], 8)
    assert not stopping.has_reached_goal(BY_THREADS, cells, [*compared, *noisy], 8)
    assert "every time without a ratio" in stopping.describe_precision(BY_THREADS, cells, [*compared, *quiet])
    assert "less precisely" in stopping.describe_precision(BY_THREADS, cells, [*compared, *noisy])


def test_precision_counts_only_towards_the_baseline() -> None:
    sweep = {"base": BASELINE, "b": cell(1.0), "c": cell(1.0, noise=-1)}
    comparisons = compare_all_pairs(sweep)
    to_baseline = max(index_both_ways(comparisons)["base", name].log_half_width for name in "bc")
    assert has_reached_half_width(comparisons, to_baseline, baseline="base")
    assert not has_reached_half_width(comparisons, to_baseline)
    assert not has_reached_half_width(comparisons, to_baseline - 1e-9, baseline="base")


def precise(count: int, verdict: Verdict) -> list[Comparison]:
    return [claim("a", f"b{i}", verdict) for i in range(count)]


def test_a_sweep_stops_at_looks_and_nowhere_else() -> None:
    stops = [k for k in range(40) if should_stop(k, precise(1, Verdict.SLOWER), 0.02)]
    assert stops == [8, 12, 16, 20, 24, *range(32, 40)]


def test_a_sweep_goes_on_until_its_many_pairs_could_be_significant() -> None:
    assert not should_stop(8, precise(15, Verdict.SLOWER), 0.02)
    assert should_stop(12, precise(15, Verdict.SLOWER), 0.02)


@pytest.mark.parametrize("k", LOOKS)
def test_verdicts_never_stop_a_sweep(k: int) -> None:
    assert {should_stop(k, precise(1, verdict), 0.02) for verdict in Verdict} == {True}
    assert {should_stop(k, precise(1, verdict), 0.002) for verdict in Verdict} == {k == LOOKS[-1]}


VERDICTS = SweepSpec.model_validate({"stop": {"until": "verdict"}})
ON_VERDICTS = LookRule(on_verdicts=True)


def has_verdicts(cells: Sequence[Cell], records: Sequence[JobRecord], block: int) -> bool:
    return stopping.has_reached_goal(VERDICTS, cells, records, block, ON_VERDICTS)


def test_a_sweep_that_was_asked_for_verdicts_ends_with_them_however_wide_its_intervals_are(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell("numpy:eager"), make_cell("synthetic:spin")]
    records = make_records(list(zip(cells, (1000, 3000), strict=True)), blocks=8, noise=0.1)
    assert has_verdicts(cells, records, 8)
    assert not is_precise(cells, records, 8)


def test_it_goes_on_without_a_verdict_however_narrow_its_intervals_are(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell("numpy:eager"), make_cell("synthetic:spin")]
    # Close to the margin, so neither within it nor beyond.
    records = make_records(list(zip(cells, (100_000, 101_900), strict=True)), blocks=8, noise=0.003)
    (found,) = group_results(records, cells, looks=ON_VERDICTS)[0].comparisons
    claimed = found.verdict is not Verdict.UNRESOLVED
    assert has_verdicts(cells, records, 8) is claimed
    noisy = make_records(list(zip(cells, (1000, 1000), strict=True)), blocks=8, noise=0.2)
    assert not has_verdicts(cells, noisy, 8)
    assert stopping.has_reached_goal(VERDICTS, cells, noisy, LOOKS[-1], ON_VERDICTS)


def test_a_verdict_between_the_looks_ends_nothing(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("numpy:eager"), make_cell("synthetic:spin")]
    records = make_records(list(zip(cells, (1000, 3000), strict=True)), blocks=9)
    assert [block for block in range(6, 14) if has_verdicts(cells, records, block)] == [8, 12]


def test_its_tests_have_the_lower_level(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("numpy:eager"), make_cell("synthetic:spin")]
    records = make_records(list(zip(cells, (1000, 3000), strict=True)), blocks=7)
    (planned,), (found,) = group_results(records, cells), group_results(records, cells, looks=ON_VERDICTS)
    # Seven blocks are enough for one pair at the usual level, and too few at this one.
    assert planned.comparisons[0].verdict is Verdict.SLOWER
    assert found.comparisons[0].verdict is Verdict.UNRESOLVED
    assert found.alpha < planned.alpha


@pytest.mark.parametrize(
    ("modes", "sentence"),
    [
        (["numpy mlp", "synthetic mlp"], "every pair has its verdict"),
        (["numpy mlp"], "the time is known to ±2 %"),
        (
            ["numpy mlp", "synthetic mlp", "numpy rnn"],
            "every pair has its verdict, and every time without a ratio is known to ±2 %",
        ),
    ],
)
def test_it_says_that_it_ended_with_its_verdicts(
    make_cell: MakeCell, make_records: MakeRecords, modes: list[str], sentence: str
) -> None:
    cells = [make_cell(f"{name}:eager", workload=workload) for name, workload in map(str.split, modes)]
    records = make_records([(cell, 1000) for cell in cells], blocks=8)
    assert stopping.describe_goal(VERDICTS, cells, records) == sentence
