"""The check of known latencies, on made-up records."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from orchestrator.selftest.check import Reading
from orchestrator.selftest.checks import latency
from tests.orchestrator.selftest.readings import find_failed, find_value
from tests.orchestrator.selftest.test_checks import MakeRecord


@pytest.fixture
def spun(make_record: MakeRecord) -> Callable[..., Sequence[Reading]]:
    """Judge latencies that take 300 ns more than they should, except for those in `instead`."""

    def judged(instead: Mapping[int, int] | None = None) -> Sequence[Reading]:
        took = {truth: truth + 300 for truth in latency.LATENCIES_NS} | dict(instead or {})
        cells = zip(latency.CELLS, took.values(), strict=True)
        return latency.judge_records(
            [make_record(cell, block, call_ns=ns) for cell, ns in cells for block in (1, 2, 3)]
        )

    return judged


def test_latencies_that_only_have_the_same_time_on_top_pass(spun: Callable[..., Sequence[Reading]]) -> None:
    assert find_failed(spun()) == []
    assert "300 ns overhead" in find_value(spun(), "10.0 µs")


@pytest.mark.parametrize("truth", latency.LATENCIES_NS[1:])
def test_a_latency_that_is_missed_by_a_hundredth_breaks_it(spun: Callable[..., Sequence[Reading]], truth: int) -> None:
    assert find_failed(spun({truth: truth * 101 // 100}))
    assert find_failed(spun({truth: truth * 99 // 100}))


def test_a_call_that_is_shorter_than_it_can_be_breaks_it(spun: Callable[..., Sequence[Reading]]) -> None:
    assert find_failed(spun({10_000: 9_990})) == ["10.0 µs call"]
