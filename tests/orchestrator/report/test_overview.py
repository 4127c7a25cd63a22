"""The matrix of computations and modes: claims are told from estimates, and the fastest are marked."""

import dataclasses
import io
import re
from collections.abc import Callable, Sequence

import pytest
from rich.console import Console

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.results import Group
from orchestrator.analysis.run import Run
from orchestrator.records.attempts import last_attempts
from orchestrator.report.overview import Overview, Square, build_overview, format_short_ratio
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]


def show(overview: Overview, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(overview)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def squares_of(overview: Overview, row: int = 0) -> dict[str, Square]:
    return dict(zip(overview.modes, overview.rows[row].squares, strict=True))


@pytest.fixture
def found(known_run: Run) -> Overview:
    """Return the overview of two computations, in which tracing is faster and TensorFlow three times slower."""
    return build_overview(known_run.groups)


def test_each_computation_is_a_row_and_each_mode_a_column_without_clones(found: Overview) -> None:
    assert [row.name for row in found.rows] == ["mlp forward", "mlp backward"]
    assert found.modes == (
        "torch:eager",
        "torch:trace",
        "tensorflow:eager",
        "tensorflow:function",
        "torch:script",
        "openvino:compiled",
    )


def test_the_baseline_has_its_time_and_the_others_their_ratio(found: Overview) -> None:
    squares = squares_of(found)
    assert re.fullmatch(r"(29\.\d|30\.\d) µs", squares["torch:eager"].shown)
    assert re.fullmatch(r"0\.6\d\*", squares["torch:trace"].shown)
    assert re.fullmatch(r"(2\.9\d|3\.0\d)", squares["tensorflow:eager"].shown)


def test_only_the_fastest_is_marked(found: Overview) -> None:
    assert [mode for mode, square in squares_of(found).items() if square.is_fastest] == ["torch:trace"]


def test_modes_that_were_not_measured_have_their_outcome_and_those_of_other_computations_nothing(
    found: Overview,
) -> None:
    assert squares_of(found)["torch:script"] == Square(text="wrong", is_failed=True)
    assert squares_of(found)["openvino:compiled"] == Square()
    assert squares_of(found, 1)["openvino:compiled"].text == "unsupported"


@pytest.mark.parametrize(
    ("verdict", "sign", "is_estimate"),
    [
        (Verdict.FASTER, "", False),
        (Verdict.SLOWER, "", False),
        (Verdict.DIFFERENT_BUT_SMALL, "~", False),
        (Verdict.EQUIVALENT, "=", False),
        (Verdict.UNRESOLVED, "?", True),
        (Verdict.ESTIMATOR_DEPENDENT, "?", True),
    ],
)
def test_a_ratio_has_the_sign_of_its_verdict(known_run: Run, verdict: Verdict, sign: str, *, is_estimate: bool) -> None:
    group = known_run.groups[0]
    comparisons = tuple(dataclasses.replace(each, verdict=verdict) for each in group.comparisons)
    squares = squares_of(build_overview([dataclasses.replace(group, comparisons=comparisons)]))
    assert (squares["tensorflow:eager"].sign, squares["tensorflow:eager"].is_estimate) == (sign, is_estimate)


def tied(make_cell: MakeCell, make_records: MakeRecords, *times_ns: float, blocks: int = 12) -> Group:
    cells = [make_cell(f"torch:{mode}") for mode in ("eager", "trace", "script")]
    (group,) = group_results(make_records(list(zip(cells, times_ns, strict=True)), noise=0.02, blocks=blocks), cells)
    return group


def test_modes_that_share_the_first_place_share_the_mark(make_cell: MakeCell, make_records: MakeRecords) -> None:
    squares = squares_of(build_overview([tied(make_cell, make_records, 1000, 1001, 3000)]))
    assert [square.is_fastest for square in squares.values()] == [True, True, False]


def test_a_run_that_tells_no_mode_from_another_marks_none(make_cell: MakeCell, make_records: MakeRecords) -> None:
    squares = squares_of(build_overview([tied(make_cell, make_records, 1000, 2000, 3000, blocks=2)]))
    assert not any(square.is_fastest for square in squares.values())
    assert [square.sign for square in squares.values()] == ["", "?", "?"]


def test_a_mode_without_a_record_yet_has_an_empty_square(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cells = [make_cell(f"torch:{mode}") for mode in ("eager", "trace")]
    overview = build_overview(group_results(last_attempts([make_record(cells[0])]), cells))
    assert [square.shown for square in overview.rows[0].squares] == ["1.00 µs", ""]


@pytest.mark.parametrize(("value", "said"), [(1.126, "1.13"), (12.34, "12.3"), (405.6, "406")])
def test_ratios_are_short(value: float, said: str) -> None:
    assert format_short_ratio(value) == said


def test_the_legend_explains_the_signs_that_occur_and_no_others(known_run: Run) -> None:
    legend = build_overview(known_run.groups).legend
    assert "* fastest" in legend
    assert "~" not in legend
    group = known_run.groups[0]
    comparisons = tuple(dataclasses.replace(each, verdict=Verdict.DIFFERENT_BUT_SMALL) for each in group.comparisons)
    assert "~ different by too little" in build_overview([dataclasses.replace(group, comparisons=comparisons)]).legend


def collect_words(lines: Sequence[str]) -> set[str]:
    return set(" ".join(lines).split())


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
def test_every_square_is_shown_whatever_the_width(found: Overview, width: int) -> None:
    lines = show(found, width)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    for row in found.rows:
        for square in row.squares:
            assert {*square.shown.split()} <= collect_words(lines)


def test_a_wide_screen_takes_one_table_and_a_narrow_one_several(found: Overview) -> None:
    assert [sum("mlp forward" in line for line in show(found, width)) for width in (80, 40)] == [1, 3]


def test_a_single_table_is_the_first_of_several(found: Overview) -> None:
    single = show(dataclasses.replace(found, is_single=True), 40)
    assert sum("mlp forward" in line for line in single) == 1
    assert single[: len(single) - 4] == show(found, 40)[: len(single) - 4]


def test_hostile_names_command_no_terminal(hostile_run: Run) -> None:
    assert "\x1b" not in "".join(show(build_overview(hostile_run.groups), 200))
