"""Markdown for a README or a comment."""

import dataclasses
from collections.abc import Callable

import pytest

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.run import Run
from orchestrator.export import convert_run
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.analysis.sketched import a_record, check, off
from tests.orchestrator.conftest import a_manifest, a_run


def test_markdown_shows_the_ranking_and_no_time_of_what_was_not_measured(run: Run) -> None:
    text = convert_run(run, "markdown", None).decode()
    tables = text[text.index("### ") :]
    rows = {line.split(" | ")[0].strip("| "): line for line in tables.splitlines() if line.startswith("| ")}
    assert "1.00 µs" in rows["torch:eager"]
    assert rows["torch:eager"].endswith("| baseline |")
    assert "| n/a |" in rows["jax:jit"]
    assert rows["jax:jit"].endswith("| wrong |")
    assert {line.count(" | ") for line in rows.values()} == {7}
    assert r'(unsupported): no "\|" here =1+1.' in text


@pytest.fixture
def suite(make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]]) -> Run:
    """Return a run of two computations and two modes, with a clone."""
    cells = [make_cell(label, batch=batch) for batch in (1, 2) for label in ("torch:eager", "torch:trace")]
    cells.append(cells[0].model_copy(update={"replica": 1}))
    times = [(cell, 1000.0 if cell.mode == "eager" else 500.0) for cell in cells]
    return a_run(a_manifest(cells), make_records(times, seed=2))


def test_several_computations_begin_with_a_matrix(suite: Run) -> None:
    first, second, *_ = convert_run(suite, "markdown", None).decode().split("\n\n")
    assert [line.split(" | ")[0] for line in first.splitlines()[2:]] == [
        "| mlp backward, batch 1",
        "| mlp backward, batch 2",
    ]
    assert first.splitlines()[0] == "| computation | torch:eager | torch:trace |"
    assert r"0.50\*" in first
    assert second.startswith("A time is the baseline's")


def test_a_false_claim_stands_above_everything_and_is_told_once(suite: Run) -> None:
    group = suite.groups[0]
    assert group.clone is not None
    false = dataclasses.replace(group, clone=dataclasses.replace(group.clone, verdict=Verdict.FASTER))
    suite.__dict__["groups"] = (false,)
    text = convert_run(suite, "markdown", None).decode()
    assert text.startswith("> A/A check FAILED: ")
    assert text.count("A/A check") == 1
    assert "| computation |" not in text


def test_markdown_says_each_sentence_once(suite: Run) -> None:
    items = [line for line in convert_run(suite, "markdown", None).decode().splitlines() if line.startswith("- ")]
    assert len(items) > 3
    assert len(items) == len({*items})


def test_markdown_has_the_matrix_of_agreement_where_the_other_views_have_it(suite: Run) -> None:
    right, wrong = (a_record(label, [check(off(by))]) for label, by in (("torch:eager", 1e-7), ("torch:trace", 0.3)))
    run = a_run(a_manifest([each.spec.cell for each in (right, wrong)]), [right, wrong])
    *_, matrix, _end = convert_run(run, "markdown", None).decode().split("\n\n")
    assert matrix.splitlines() == [
        "| Largest relative difference of results | reference | 1 |",
        "| --- | ---: | ---: |",
        "| 1 torch:eager | 1e-7 = |  |",
        "| 2 torch:trace | 0.3 ≠ | 0.3 ≠ |",
    ]
    assert "Largest relative difference" not in convert_run(suite, "markdown", None).decode()
