"""The totals of one number of calls, and which modes may have the least."""

import math
from collections.abc import Callable

import pytest

from orchestrator.analysis.calls import answer_for_calls
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.results import Group
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeGroup = Callable[..., Group]

# Compiling takes 10 ms and saves 1 µs a call: it pays from 10,000 calls on. The import of the other takes 2 s less.
MODES = {"torch:eager": (3 * 10**9, 0, 3000), "torch:script": (3 * 10**9, 10**7, 2000), "numpy:eager": (10**9, 0, 9000)}


@pytest.fixture
def make_group(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord], make_report: Callable[..., Report]
) -> MakeGroup:
    def record(label: str, block: int) -> JobRecord:
        import_ns, compile_ns, call_ns = MODES[label]
        took = call_ns + block * len(label) % 5 - 2
        walls = {"import": import_ns + 1000 * block, "compile": compile_ns, "first_call": took}
        phases = [{"name": name, "wall_ns": wall, "cpu_ns": wall} for name, wall in walls.items()]
        return make_record(make_cell(label), block, result=make_report(took, phases=phases, warmup=((1, took),) * 9))

    def make(blocks: int, *labels: str) -> Group:
        modes = labels or tuple(MODES)
        records = [record(label, block) for block in range(1, blocks + 1) for label in modes]
        return group_results(records, [make_cell(label) for label in modes])[0]

    return make


@pytest.mark.parametrize(
    ("calls", "start", "best"),
    [
        (500, "model", ("torch:eager",)),
        (100_000, "model", ("torch:script",)),
        (500, "import", ("numpy:eager",)),
        (10**9, "import", ("torch:script",)),
    ],
)
def test_the_best_mode_depends_on_the_number_of_calls_and_on_the_start_of_the_clock(
    make_group: MakeGroup, calls: int, start: str, best: tuple[str, ...]
) -> None:
    answer = answer_for_calls(make_group(12), calls, start)  # type: ignore[arg-type]
    assert answer is not None
    assert answer.best == best
    assert answer.totals[0].mode == best[0]
    estimates = [total.total_ns.estimate for total in answer.totals]
    assert estimates == sorted(estimates)


def test_a_total_has_the_compilation_and_all_calls(make_group: MakeGroup) -> None:
    answer = answer_for_calls(make_group(12), 1000, "model")
    assert answer is not None
    totals = {total.mode: total for total in answer.totals}
    assert totals["torch:script"].total_ns.estimate == pytest.approx(10**7 + 1000 * 2000, rel=0.01)
    assert totals["torch:eager"].total_ns.estimate == pytest.approx(1000 * 3000, rel=0.01)
    assert all(total.has_interval for total in answer.totals)


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_without_a_verdict_the_answer_has_all_that_was_seen(make_group: MakeGroup, blocks: int) -> None:
    answer = answer_for_calls(make_group(blocks), 500, "model")
    assert answer is not None
    assert set(answer.best) == set(MODES)
    assert (answer.is_ahead, answer.blocks) == (True, blocks)
    for total in answer.totals:
        assert not total.has_interval
        assert total.processes == blocks
        assert 0 < total.seen_ns[0] <= total.total_ns.estimate <= total.seen_ns[1] < math.inf


def test_a_mode_alone_is_the_best_and_nothing_is_none(make_group: MakeGroup, make_cell: Callable[..., Cell]) -> None:
    alone = answer_for_calls(make_group(8, "numpy:eager"), 500, "model")
    assert alone is not None
    assert (alone.best, len(alone.totals)) == (("numpy:eager",), 1)
    assert answer_for_calls(group_results([], [make_cell()])[0], 500, "model") is None
