"""The answer claims what the numbers support, in few words, and each reservation is named once."""

import dataclasses
import math
import re
from collections.abc import Callable, Sequence

import pytest

from orchestrator.analysis.breakeven import BreakEven
from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.results import Group
from orchestrator.analysis.run import Run
from orchestrator.analysis.standings import Standing
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.report.summary import (
    describe_answer,
    describe_notes,
    describe_other_frameworks,
    describe_payoffs,
    list_payoffs,
    omit_repeated_beginnings,
    summarise_groups,
    write_notes,
)
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.report.sections.test_breakeven import break_even

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]


@pytest.fixture
def group(known_run: Run) -> Group:
    """Return a group of four modes: tracing pays off, and TensorFlow's two modes are equally fast and slower."""
    return known_run.groups[0]


def test_the_answer_names_the_fastest_the_best_of_the_others_and_when_compiling_pays_off(group: Group) -> None:
    (said,) = summarise_groups([group])
    fastest, others, compiling = re.split(r"(?<=[a-z])\. ", said.rstrip("."))
    assert re.fullmatch(r"torch:trace is the fastest, at (19\.\d|20\.\d) µs per call", fastest)
    assert re.fullmatch(r"tensorflow:\w+, the best of TensorFlow, takes 4\.\d+ times as long", others)
    assert re.fullmatch(
        r"Compiling pays off for torch:trace after about (9,9|10,0)\d\d calls; it is not known to pay off for "
        "tensorflow:function",
        compiling,
    )


def test_a_framework_that_may_be_as_fast_is_not_called_slower(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("torch:eager"), make_cell("jax:jit"), make_cell("tensorflow:eager")]
    times = list(zip(cells, (1000, 1001, 3000), strict=True))
    (found,) = group_results(make_records(times, noise=0.05), cells)
    (said,) = describe_other_frameworks(found)
    assert re.fullmatch(r"tensorflow:eager, the best of TensorFlow, takes [23]\.\d+ times as long\.", said)


def test_without_a_leader_no_framework_is_set_against_it(group: Group) -> None:
    first = Standing(cell=group.standings[0].cell, best=2, worst=2, tied_with=())
    leaderless = dataclasses.replace(group, standings=(first, *group.standings[1:]))
    assert list(describe_other_frameworks(leaderless)) == []


def test_a_compiled_mode_whose_calls_are_slower_never_pays_off(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell(f"torch:{mode}") for mode in ("eager", "trace", "script")]
    (found,) = group_results(make_records(list(zip(cells, (1000, 1500, 2000), strict=True))), cells)
    assert list(describe_payoffs(found)) == ["Compiling never pays off for torch:trace or torch:script."]


def test_a_compiled_mode_without_its_sibling_has_no_claim_about_compiling(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell("torch:trace"), make_cell("numpy:eager")]
    (found,) = group_results(make_records(list(zip(cells, (1000, 2000), strict=True))), cells)
    assert list(describe_payoffs(found)) == []


def paying(*calls: Interval) -> list[BreakEven]:
    return [dataclasses.replace(break_even(each), mode=f"mode-{place}") for place, each in enumerate(calls)]


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([Interval(1, 1, 1)], "mode-0 from the first call on"),
        ([Interval(1, 1, 594)], "mode-0 after at most 600 calls"),
        (
            [Interval(256, 241, 271), Interval(1, 1, 1)],
            "mode-0 after about 256 calls and mode-1 from the first call on",
        ),
        (
            [Interval(10_000 * step, 9_000 * step, 11_000 * step) for step in (3, 1, 2, 4)],
            "4 modes, after about 10,000 to 40,000 calls",
        ),
    ],
)
def test_a_few_modes_that_pay_off_have_their_own_numbers_and_many_a_range(calls: Sequence[Interval], said: str) -> None:
    assert list_payoffs(paying(*calls)) == said


def test_the_answer_to_a_sweep_over_versions_compares_the_versions(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell("tensorflow:eager", environment=f"tensorflow@{version}") for version in ("2.20", "2.21")]
    (found,) = group_results(make_records(list(zip(cells, (2000, 1500), strict=True))), cells)
    first, second = list(describe_answer(found))[:2]
    assert first.startswith("Between environments: tensorflow@2.21:eager takes 0.7")
    assert second.startswith("tensorflow@2.21:eager is the fastest, at ")


def test_the_answer_about_two_versions_of_a_model_begins_with_the_change_and_says_nothing_of_compiling(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [
        make_cell(f"torch:{mode}", workload="old+new", variant=variant, code=variant)
        for variant in ("old", "new")
        for mode in ("eager", "trace", "script")
    ]
    times = (2000, 1900, 1800, 1500, 1400, 1300)
    (found,) = group_results(make_records(list(zip(cells, times, strict=True)), blocks=12), cells)
    said = list(describe_answer(found))
    beginnings = ("Between variants: torch:eager new", "torch:trace new", "torch:script new")
    assert [each.startswith(first) for each, first in zip(said, beginnings, strict=False)] == [True] * 3
    assert not any("Compiling" in each for each in said)


def test_a_beginning_is_repeated_after_another_sentence_alone() -> None:
    sentences = ["Between variants: a", "Between variants: b", "b has other weights.", "Between variants: c", "d: e"]
    said = ["Between variants: a", "b", "b has other weights.", "Between variants: c", "d: e"]
    assert list(omit_repeated_beginnings(sentences)) == said


def test_each_of_a_few_groups_has_its_answer_under_a_short_name(known_run: Run) -> None:
    said = summarise_groups(known_run.groups)
    assert [each.partition(":")[0] for each in said] == ["mlp forward", "mlp backward"]
    assert all(" is the fastest, at " in each for each in said)


@pytest.mark.parametrize(
    ("leaders", "said"),
    [
        (
            ["torch:trace", "torch:eager", "torch:trace", "", "torch:trace"],
            "Fastest of 5 computations: torch:trace in 3 and torch:eager in 1; 1 has no single fastest mode.",
        ),
        (["torch:eager"] * 6, "Fastest of 6 computations: torch:eager in 6."),
        ([""] * 5, "None of the 5 computations has a single fastest mode."),
    ],
)
def test_many_groups_are_counted_by_their_fastest_mode(group: Group, leaders: list[str], said: str) -> None:
    tied = Standing(cell="torch:eager", best=1, worst=2, tied_with=("torch:trace",))
    groups = []
    for leader in leaders:
        first = Standing(cell=leader, best=1, worst=1, tied_with=()) if leader else tied
        groups.append(dataclasses.replace(group, standings=(first, *group.standings[1:])))
    assert summarise_groups(groups)[0] == said


def test_of_many_groups_it_is_counted_where_compiling_pays_off(group: Group) -> None:
    undecided = tuple(dataclasses.replace(each, verdict=Verdict.UNRESOLVED) for each in group.comparisons)
    open_group = dataclasses.replace(group, comparisons=undecided)
    (_, compiling) = summarise_groups([group, open_group, group, group])
    assert compiling == "Compiling pays off for torch:trace in 3 of 4 and for tensorflow:function in none of 4."
    assert summarise_groups([open_group] * 4)[1] == "Compiling is not shown to pay off in any of them."


def test_many_groups_without_a_compiled_mode_have_one_sentence(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell(label, batch=batch) for batch in (1, 2, 3, 4) for label in ("numpy:eager", "torch:eager")]
    times = [(cell, 1000.0 if cell.framework == "numpy" else 2000.0) for cell in cells]
    said = summarise_groups(group_results(make_records(times), cells))
    assert said == ["Fastest of 4 computations: numpy:eager in 4."]


def test_of_many_other_frameworks_three_are_named(make_cell: MakeCell, make_records: MakeRecords) -> None:
    names = ("numpy", "torch", "jax", "tensorflow", "openvino", "onnxruntime")
    cells = [make_cell(f"{name}:eager") for name in names]
    times = [(cell, 1000.0 * 2**place) for place, cell in enumerate(cells)]
    (found,) = group_results(make_records(times), cells)
    (said,) = describe_other_frameworks(found)
    assert said.count("times as long") == 3
    assert said.endswith("; 2 other frameworks are slower still.")


def test_cells_without_a_rank_are_named_once_for_all_that_share_a_reason(
    make_cell: MakeCell, make_record: MakeRecord
) -> None:
    cells = [make_cell(f"torch:{mode}") for mode in ("eager", "trace", "script", "compile", "aot")]
    same = [make_record(cell, outcome="unsupported", reason="no compiler") for cell in cells[:2]]
    (found,) = group_results([*same, make_record(cells[2], outcome="wrong", reason="off by 1")], cells)
    assert write_notes([found])[:3] == [
        "Not ranked: torch:eager and torch:trace (unsupported: no compiler).",
        "Not ranked: torch:script (wrong: off by 1).",
        "Not ranked: torch:compile and torch:aot (not run).",
    ]
    assert write_notes([found, found]) == write_notes([found])


def test_what_a_reader_must_know_is_said_once_with_the_modes_that_it_is_true_of(
    make_cell: MakeCell, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    cells = [make_cell(f"torch:{mode}") for mode in ("eager", "trace", "script")]
    alone = {"checks": (), "agreement": "no kernel for float64"}
    reports = [
        make_report(1000, notes=("new has other weights",), verification=alone),
        make_report(1000, notes=("new has other weights",), verification=alone),
        make_report(1000, verification=alone),
    ]
    records = [make_record(cell, result=report) for cell, report in zip(cells, reports, strict=True)]
    (found,) = group_results(records, cells)
    assert list(describe_notes([found])) == [
        "Only agreement in float32 is checked: no kernel for float64.",
        "torch:eager and torch:trace: new has other weights",
    ]
    assert next(iter(describe_notes([found]))) in write_notes([found])
    assert found.referee_dtype == "float32"


def test_all_doubts_are_one_note(group: Group) -> None:
    changes: dict[str, dict[str, object]] = {
        "torch:eager": {"grade": "B", "flags": frozenset({"DRIFT"})},
        "torch:trace": {"grade": "C", "flags": frozenset({"STEAL", "DELAY"})},
    }
    results = tuple(
        dataclasses.replace(each, steadiness="flat", **changes.get(each.label, {}))  # type: ignore[arg-type]
        for each in group.results
    )
    notes = write_notes([dataclasses.replace(group, results=results)])
    assert [note for note in notes if note.startswith("Doubts: ")] == [
        "Doubts: torch:eager graded B (DRIFT); torch:trace graded C (DELAY, STEAL)."
    ]


@pytest.mark.parametrize(
    ("unsteady", "said"), [(1, "torch:eager"), (3, "torch:eager, torch:trace and tensorflow:eager"), (4, "all cells")]
)
def test_doubts_about_many_cells_are_counted(group: Group, unsteady: int, said: str) -> None:
    measured = [each.label for each in group.results if each.outcome == "measured" and not each.cell.replica]
    results = tuple(
        dataclasses.replace(each, grade="A", steadiness="mixed" if each.label in measured[:unsteady] else "flat")
        for each in group.results
    )
    notes = write_notes([dataclasses.replace(group, results=results)])
    assert f"Doubts: {said} not reliably steady after warm-up." in notes


def test_an_undisturbed_group_has_no_doubts(group: Group) -> None:
    results = tuple(dataclasses.replace(each, grade="A", steadiness="flat") for each in group.results)
    assert not any(note.startswith("Doubts") for note in write_notes([dataclasses.replace(group, results=results)]))


@pytest.mark.parametrize(
    ("verdict", "ratio", "said"),
    [
        (
            Verdict.EQUIVALENT,
            Interval(1, 0.99, 1.01),
            "A/A check passed: torch:eager against itself is EQUIVALENT (0.990 to 1.010).",
        ),
        (
            Verdict.UNRESOLVED,
            Interval(1, 0, math.inf),
            "A/A check undecided: 12 processes each are too few for an interval.",
        ),
        (
            Verdict.UNRESOLVED,
            Interval(1.02, 0.9, 1.15),
            "A/A check undecided: torch:eager against itself is at 0.900 to 1.150.",
        ),
    ],
)
def test_the_clone_has_a_note_that_says_what_to_think_of_it(
    group: Group, verdict: Verdict, ratio: Interval, said: str
) -> None:
    assert group.clone is not None
    clone = dataclasses.replace(group.clone, verdict=verdict, ratio=ratio)
    assert said in write_notes([dataclasses.replace(group, clone=clone)])


def test_several_clones_are_counted_and_only_a_proof_of_equality_counts(group: Group) -> None:
    assert group.clone is not None
    groups = [
        dataclasses.replace(group, clone=dataclasses.replace(group.clone, verdict=verdict))
        for verdict in (Verdict.EQUIVALENT, Verdict.SLOWER, Verdict.UNRESOLVED)
    ]
    notes = [note for note in write_notes(groups) if note.startswith("A/A")]
    assert notes == ["A/A checks passed: 1 of 3."]


def test_a_false_claim_is_an_alarm_and_no_note(group: Group) -> None:
    assert group.clone is not None
    false = dataclasses.replace(group, clone=dataclasses.replace(group.clone, verdict=Verdict.SLOWER))
    assert not any(note.startswith("A/A") for note in write_notes([false]))
