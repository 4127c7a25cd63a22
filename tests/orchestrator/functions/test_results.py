"""Verdicts on functions as typed values, and what a notebook shows of them."""

import re
from collections.abc import Callable

import pytest

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.run import Run
from orchestrator.errors import NotMeasured, Unresolved, UsageError
from orchestrator.functions.results import FunctionComparison, collect_results
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_cell, a_manifest

MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]
Compare = Callable[..., FunctionComparison]


@pytest.fixture
def compare(make_records: MakeRecords) -> Compare:
    """Compare functions with these times per call in nanoseconds, as if they had been measured."""

    def of(noise: float = 0.003, blocks: int = 12, **times_ns: float) -> FunctionComparison:
        cells = {name: a_cell(workload="+".join(times_ns), variant=name) for name in times_ns}
        records = make_records([(cells[name], time) for name, time in times_ns.items()], blocks, noise)
        run = Run(name="mine", manifest=a_manifest(cells.values()), records=tuple(records))
        return collect_results(run, times_ns)

    return of


def test_a_function_has_its_time_with_an_interval_and_a_verdict(compare: Compare) -> None:
    found = compare(old=1000, new=800)
    assert found["new"].time_ns == pytest.approx(800, rel=0.01)
    assert found["new"].interval_ns.low < found["new"].time_ns < found["new"].interval_ns.high
    assert found["new"].verdict_against(found["old"]) is Verdict.FASTER
    assert found["old"].verdict_against(found["new"]) is Verdict.SLOWER
    assert found["new"].compare_with(found["old"]).ratio.estimate == pytest.approx(0.8, rel=0.01)


@pytest.mark.parametrize(
    ("old", "new", "by", "answer"),
    [
        (1000, 800, 0.0, True),
        (1000, 800, 0.1, True),
        (1000, 800, 0.3, False),
        (800, 1000, 0.0, False),
        (1000, 1000, 0.05, False),
        (1000, 985, 0.0, True),
    ],
)
def test_faster_is_a_claim_about_the_whole_interval(
    compare: Compare, old: float, new: float, by: float, answer: bool
) -> None:
    found = compare(old=old, new=new)
    assert found["new"].faster_than(found["old"], by=by) is answer


def test_equal_functions_are_not_faster(compare: Compare) -> None:
    found = compare(old=1000, new=1000)
    assert found["new"].verdict_against(found["old"]) is Verdict.EQUIVALENT
    assert found["new"].faster_than(found["old"]) is False


@pytest.mark.parametrize(("noise", "blocks"), [(0.2, 12), (0.003, 2)])
def test_without_a_verdict_the_question_stays_open_with_its_reason(compare: Compare, noise: float, blocks: int) -> None:
    found = compare(noise, blocks, old=1000, new=970)
    with pytest.raises(
        Unresolved, match=rf"UNRESOLVED: after {blocks} blocks it is open whether new is faster than old by 5 %"
    ):
        found["new"].faster_than(found["old"], by=0.05)


def test_a_limit_within_the_interval_leaves_the_question_open(compare: Compare) -> None:
    found = compare(old=1000, new=950)
    assert found["new"].faster_than(found["old"])
    with pytest.raises(Unresolved, match=r"FASTER: .* by 5 %: its ratio is 0\.9"):
        found["new"].faster_than(found["old"], by=0.05)


def test_a_function_that_was_not_measured_has_no_time_but_a_reason(make_record: MakeRecord) -> None:
    cells = [a_cell(workload="a+b", variant=name) for name in ("a", "b")]
    records = [make_record(cells[0]), make_record(cells[1], outcome="wrong")]
    found = collect_results(Run(name="mine", manifest=a_manifest(cells), records=tuple(records)), ("a", "b"))
    assert (found["b"].outcome, found["b"].reason) == ("wrong", "because it was wrong")
    for ask in (lambda: found["b"].time_ns, lambda: found["a"].faster_than(found["b"])):
        with pytest.raises(NotMeasured, match="b in numpy:eager was not measured: wrong: because it was wrong"):
            ask()
    assert "wrong: because it was wrong" in str(found)


def test_a_function_that_never_started_says_so() -> None:
    cells = [a_cell(workload="a+b", variant=name) for name in ("a", "b")]
    found = collect_results(Run(name="mine", manifest=a_manifest(cells), records=()), ("a", "b"))
    with pytest.raises(NotMeasured, match="the budget had no time for it"):
        assert found["a"].time_ns


def test_a_mode_is_chosen_by_its_name_and_the_first_one_without(make_records: MakeRecords) -> None:
    cells = [a_cell(mode, workload="a+b", variant=name) for name in "ab" for mode in ("torch:eager", "torch:compile")]
    records = make_records([(cell, 1000 + 100 * place) for place, cell in enumerate(cells)])
    found = collect_results(Run(name="mine", manifest=a_manifest(cells), records=tuple(records)), "ab")
    assert (found["a"].mode, found["a", "torch:compile"].mode) == ("torch:eager", "torch:compile")
    assert found["b", "torch:compile"].faster_than(found["a"]) is False


@pytest.mark.parametrize("name", ["newer", ("new", "torch:script")])
def test_an_unknown_name_gets_the_valid_ones(compare: Compare, name: str | tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=r"unknown function .*new"):
        compare(old=1000, new=800)[name]


def test_the_table_reads_alike_as_text_and_in_a_notebook(compare: Compare) -> None:
    found = compare(old=1000, new=800)
    head, old, new = found.table()
    assert head[0] == "function"
    assert (old[0], old[-1], new[0], new[-1]) == ("old", "baseline", "new", "FASTER")
    assert repr(found).splitlines()[2].startswith("new ")
    assert re.fullmatch(r"<new in numpy:eager: \d+ ns>", repr(found["new"]))
    shown = found._repr_html_()
    assert shown.count("<tr>") == 3
    assert all(f"<td>{cell}</td>" in shown for cell in new)


def test_what_a_record_says_cannot_become_markup(make_record: MakeRecord) -> None:
    cells = [a_cell(workload="a+b", variant=name) for name in "ab"]
    records = [make_record(cells[0]), make_record(cells[1], outcome="raised", reason="<script>alert(1)</script>")]
    found = collect_results(Run(name="mine", manifest=a_manifest(cells), records=tuple(records)), "ab")
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()


def test_a_frame_has_a_row_for_each_function(compare: Compare) -> None:
    frame = compare(old=1000, new=800).to_frame()
    assert len(frame) == 2
    assert frame.set_index("label").verdict["numpy:eager new"] == "FASTER"
