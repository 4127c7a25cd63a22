"""Allocation between samples and processes, on records whose spread and costs are known exactly."""

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.quality.sample_allocation import Allocation, assess_allocation
from schemas.event import Report
from schemas.record import JobRecord

MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]
Spread = Callable[..., list[JobRecord]]

SAMPLE_NS = 10**7


@pytest.fixture
def spread(make_record: MakeRecord, make_report: MakeReport) -> Spread:
    """Return a function that makes processes with known spreads `within` a process and `between` processes."""

    def make(
        within: float, between: float, processes: int = 4, samples: int = 20, process_s: float = 2
    ) -> list[JobRecord]:
        def record(block: int) -> JobRecord:
            level = between if block % 2 else -between
            times = [round(SAMPLE_NS * math.exp(level + (within if i % 2 else -within))) for i in range(samples)]
            outside = {"spawn_to_end_ns": round(process_s * 1e9) + sum(times)}
            plain = make_record(block=block, result=make_report(samples_ns=times, noise=quiet(times)))
            assert plain.outside is not None
            return plain.model_copy(update={"outside": plain.outside.model_copy(update=outside)})

        return [record(block) for block in range(1, processes + 1)]

    return make


def quiet(times: Sequence[int]) -> dict[str, object]:
    counts = dict.fromkeys(("run_delay_ns", "steal_ns", "pressure_ns", "cpu_ns", "canary_ns"), (0,) * len(times))
    return {**counts, "involuntary_switches": 0, "major_faults": 0, "migrations": 0, "throttled": 0, "threads": 1}


def found(records: Sequence[JobRecord]) -> Allocation:
    result = assess_allocation(records)
    assert result is not None
    return result


def test_the_four_quantities_are_those_of_the_records(spread: Spread) -> None:
    seen = found(spread(within=0.02, between=0.03, process_s=2.5))
    assert (seen.samples, seen.process_ns) == (20, 2.5e9)
    assert seen.within == pytest.approx(1.4826 * 0.02, rel=1e-5)
    assert seen.between == pytest.approx(1.4826 * 0.03, rel=1e-5)
    assert seen.sample_ns == pytest.approx(SAMPLE_NS, rel=1e-3)


@pytest.mark.parametrize("within", [0.005, 0.01, 0.02])
@pytest.mark.parametrize("process_s", [1, 4])
def test_the_best_number_of_samples_makes_a_mean_most_precise_for_its_cost(
    spread: Spread, within: float, process_s: float
) -> None:
    seen = found(spread(within, between=0.02, process_s=process_s))

    def price(samples: int) -> float:
        variance = seen.between**2 + seen.within**2 / samples
        return variance * (seen.process_ns + samples * seen.sample_ns)

    assert seen.best_samples == min(range(5, 41), key=price)


def test_a_few_disturbed_samples_and_one_disturbed_process_in_five_change_little(spread: Spread) -> None:
    records = spread(within=0.02, between=0.02, processes=5, samples=21)
    report = records[-1].report
    assert report is not None
    far = report.model_copy(update={"samples_ns": tuple(3 * ns for ns in report.samples_ns)})
    disturbed = [*records[:-1], records[-1].model_copy(update={"result": far})]
    assert found(disturbed).best_samples == pytest.approx(found(records).best_samples, rel=0.3)


@pytest.mark.parametrize(
    ("within", "between", "best"), [(0.0, 0.0, 5), (0.0, 0.01, 5), (0.01, 0.0, 40), (1e-6, 0.1, 5), (0.1, 1e-6, 40)]
)
def test_from_5_to_40_samples_are_asked_for(spread: Spread, within: float, between: float, best: int) -> None:
    assert found(spread(within, between)).best_samples == best


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1e12), st.floats(1, 1e12), st.integers(1, 100_000))
def test_whatever_was_measured_there_is_a_best_number_and_it_is_neither_too_few_nor_too_many(
    within: float, between: float, process_ns: float, sample_ns: float, samples: int
) -> None:
    seen = Allocation(samples=samples, within=within, between=between, process_ns=process_ns, sample_ns=sample_ns)
    assert 5 <= seen.best_samples <= 40
    assert not (seen.has_too_few_samples and seen.has_too_many_samples)
    again = Allocation(
        samples=seen.best_samples, within=within, between=between, process_ns=process_ns, sample_ns=sample_ns
    )
    assert not again.has_too_few_samples
    assert not again.has_too_many_samples


def test_samples_longer_than_the_whole_job_leave_nothing_for_the_rest_of_it(spread: Spread) -> None:
    seen = found(spread(within=0.02, between=0.02, process_s=-0.1))
    assert (seen.process_ns, seen.best_samples) == (0, 5)


def test_before_the_fourth_process_and_of_single_samples_nothing_is_said(spread: Spread) -> None:
    assert assess_allocation(spread(0.01, 0.01, processes=3)) is None
    assert assess_allocation(spread(0.01, 0.01, samples=1)) is None
    assert assess_allocation([]) is None


@pytest.mark.parametrize(("samples", "few", "many"), [(6, True, False), (20, False, False), (200, False, True)])
def test_by_far_too_few_or_too_many_is_more_than_twice_or_four_times(
    spread: Spread, samples: int, few: bool, many: bool
) -> None:
    seen = found(spread(within=0.02, between=0.02, samples=samples))
    assert seen.best_samples == 14
    assert (seen.has_too_few_samples, seen.has_too_many_samples) == (few, many)
