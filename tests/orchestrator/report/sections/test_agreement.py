"""Agreement of cells with each other: in words, as a matrix and as data."""

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from orchestrator.analysis.results import Group
from orchestrator.export.markdown import export_document
from orchestrator.report import terminal
from orchestrator.report.json_document import group_to_dict
from orchestrator.report.page.page import render_page
from orchestrator.report.sections.agreement import build_tables, describe_agreement
from schemas.record import JobRecord
from tests.orchestrator.analysis.sketched import DUE, a_group, a_record, check, off
from tests.orchestrator.conftest import a_manifest, a_run

FILE = {"file": "/m/net.onnx", "folder": "/m", "kind": "onnx"}
MODES = ("torch:eager", "torch:trace", "onnxruntime:session", "openvino:compiled")


def measure(*errors: float, tensor: str = "output 0", same: bool = False) -> list[JobRecord]:
    """Return the records of modes with these errors, each another one unless they are the same."""
    seeds = (2 if same else seed for seed in range(2, 9))
    cells = zip(MODES, errors, seeds, strict=False)
    return [a_record(label, [check(off(by, seed), tensor)], model=FILE) for label, by, seed in cells]


def draw(group: Group, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    for drawn in build_tables(group):
        console.print(drawn)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        (
            (1e-7, 1e-7, 1e-7, 0.3),
            "torch:eager, torch:trace and onnxruntime:session agree with each other within 2e-7; openvino:compiled "
            "differs from them by 0.3 in output 0.",
        ),
        ((1e-7, 1e-7, 1e-7), "All 3 modes agree with each other within 2e-7."),
        ((1e-7, 1e-7), "torch:eager and torch:trace agree with each other within 2e-7."),
        ((0.0, 0.0, 0.0), "All 3 modes agree with each other exactly."),
        ((1e-7, 0.3), "torch:eager and torch:trace differ by 0.3 in output 0."),
        ((0.1, 0.2, 0.3), "No two of torch:eager, torch:trace and onnxruntime:session agree with each other."),
    ],
)
def test_a_sentence_says_who_agrees_and_how_far_the_others_are(errors: tuple[float, ...], sentence: str) -> None:
    assert list(describe_agreement(a_group(*measure(*errors)))) == [sentence]


def test_modes_that_are_wrong_in_the_same_way_agree_against_the_reference_and_others() -> None:
    assert list(describe_agreement(a_group(*measure(0.3, 0.3, 0.3, same=True)))) == [
        "All 3 modes agree with each other exactly, and none with the reference, from which they differ by 0.3 in "
        "output 0."
    ]
    wrong = [a_record(label, [check(off(0.3), "output 0")]) for label in MODES[2:]]
    (said,) = describe_agreement(a_group(*measure(1e-7, 1e-7), *wrong))
    assert said.endswith("; onnxruntime:session and openvino:compiled agree, but differ from them by 0.3 in output 0.")


def test_a_mode_that_is_wrong_in_later_calls_alone_is_not_taken_for_right() -> None:
    baked = {**check(off(0.3), "output 0"), "scale": None, "sketch": ()}
    late = a_record(MODES[2], [check(off(1e-7), "output 0"), baked])
    first, last = describe_agreement(a_group(*measure(1e-7, 1e-7), late))
    assert first.startswith("All 3 modes agree with each other within ")
    assert last == "onnxruntime:session was right in the first calls, which are compared here, and wrong later."


@pytest.mark.parametrize(
    ("tensor", "place"), [("output", "the output"), ("gradient of w", "the gradient of w"), ("output 1", "output 1")]
)
def test_the_place_of_a_difference_is_named(tensor: str, place: str) -> None:
    (said,) = describe_agreement(a_group(*measure(0, 0, 0.3, tensor=tensor)))
    assert said.endswith(f"differs from them by 0.3 in {place}.")


def test_a_result_that_is_no_number_is_said_to_be_incomparable() -> None:
    lost = a_record(MODES[2], [check(np.full_like(DUE, math.nan), "output 0")])
    group = a_group(*measure(1e-7, 1e-7), lost)
    (said,) = describe_agreement(group)
    assert said.endswith("; onnxruntime:session differs from them in output 0, which cannot be compared.")
    assert "–" in draw(group)
    found = json.loads(json.dumps(group_to_dict(group), allow_nan=False))["agreement"]
    assert found["from_reference"][MODES[2]] == {"tensor": "output 0", "error": None, "agrees": False}


def test_a_mode_with_other_weights_is_set_against_its_reference_alone() -> None:
    foreign = a_record(MODES[2], [check(off(0.3), due=off(0.3))], inputs_sha256="cd")
    group = a_group(*measure(1e-7, 1e-7), foreign)
    (said,) = describe_agreement(group)
    assert said == "torch:eager and torch:trace agree with each other within 2e-7."
    assert [line.split()[2:] for line in draw(group).splitlines() if "onnxruntime" in line] == [["0", "=", "–", "–"]]


def test_the_matrix_has_each_pair_once_with_its_mark() -> None:
    rows = [line.split() for line in draw(a_group(*measure(1e-7, 1e-7, 1e-7, 0.3))).splitlines()]
    found = [row for row in rows if len(row) > 1 and row[1] in MODES]
    assert [row[:2] for row in found] == [[str(number), label] for number, label in enumerate(MODES, 1)]
    assert [len(row) for row in found] == [4, 6, 8, 10]
    assert found[3][2:] == ["0.3", "≠"] * 4
    assert {*found[2][3::2]} == {"="}


def test_a_narrow_terminal_keeps_the_marks() -> None:
    text = draw(a_group(*measure(1e-7, 1e-7, 1e-7, 0.3)), width=46)
    assert all(len(line) <= 46 for line in text.splitlines())
    (row,) = (line.split() for line in text.splitlines() if MODES[3] in line)
    assert row == ["4", MODES[3], *["≠"] * 4]


def test_where_verdicts_say_it_all_nothing_is_added() -> None:
    group = a_group(*(a_record(label, [check(DUE)]) for label in MODES))
    assert list(describe_agreement(group)) == []
    assert draw(group) == ""
    assert group_to_dict(group)["agreement"] is None


def test_the_document_has_every_pair_and_who_agrees() -> None:
    found = json.loads(json.dumps(group_to_dict(a_group(*measure(1e-7, 1e-7, 0.3))), allow_nan=False))["agreement"]
    assert found["cells"] == list(MODES[:3])
    assert found["agreeing"] == [list(MODES[:2]), [MODES[2]]]
    assert {tuple(pair["cells"]): pair["agrees"] for pair in found["pairs"]} == {
        (MODES[0], MODES[1]): True,
        (MODES[0], MODES[2]): False,
        (MODES[1], MODES[2]): False,
    }


def test_terminal_page_and_markdown_say_it_once() -> None:
    records = measure(1e-7, 1e-7, 1e-7, 0.3)
    run = a_run(a_manifest(record.spec.cell for record in records), records)
    (said,) = describe_agreement(run.groups[0])
    for details in (False, True):
        console = Console(file=io.StringIO(), width=200)
        terminal.show_results(console, run, details=details)
        assert isinstance(console.file, io.StringIO)
        text = console.file.getvalue()
        assert text.count(said) == 1
        assert text.index("verdict") < text.index("Largest relative difference of results") < text.index(said)
    page = render_page(run)
    assert page.count(said) == 1
    assert "<caption>Largest relative difference of results</caption>" in page
    assert '<th scope="row">4 openvino:compiled</th><td>0.3 ≠</td>' in page
    assert "agree with each other within 2e-7" in export_document(run).decode()
