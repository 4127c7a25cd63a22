"""A plan in tables and as a document: each cell, its expected duration, and how many blocks fit."""

import io
import json
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.planning.plan import Plan
from orchestrator.report.plan import build_plan_document, describe_code_origins, show_plan

MakePlan = Callable[..., Plan]


def draw(plan: Plan) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    show_plan(console, plan, {})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_cell_is_there_with_the_seconds_of_a_job_or_the_reason_against_it(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", axes={"dtype": ("float32", "bfloat16")})
    cells = {entry["id"]: entry for entry in build_plan_document(plan, {})["cells"]}
    assert cells.keys() == {cell.id for cell in plan.cells}
    for cell in plan.cells:
        entry = cells[cell.id]
        if cell.dtype == "bfloat16":
            assert (entry["job_s"], "bfloat16" in entry["unsupported"]) == (None, True)
        else:
            assert (entry["job_s"] > 0, entry["unsupported"]) == (True, None)


@pytest.mark.parametrize(
    ("budget", "blocks", "fit"), [(0.001, 9, 0), (1e6, 9, 9), (1e6, 1, 1)], ids=["too little", "enough", "one block"]
)
def test_as_many_blocks_fit_as_the_budget_and_the_maximum_allow(
    make_plan: MakePlan, budget: float, blocks: int, fit: int
) -> None:
    said = build_plan_document(make_plan(stop={"budget": budget, "blocks": blocks}), {})
    assert said["blocks"] == fit
    assert said["total_s"] == pytest.approx(fit * said["block_s"])


def test_a_block_is_as_long_as_its_jobs_together(make_plan: MakePlan) -> None:
    said = build_plan_document(make_plan(start="fresh"), {})
    assert said["block_s"] == pytest.approx(sum(entry["job_s"] for entry in said["cells"] if entry["job_s"]))
    assert said["jobs_per_block"] == len(said["cells"])


def test_the_document_is_strict_json(make_plan: MakePlan) -> None:
    said = build_plan_document(make_plan(), {})
    assert json.loads(json.dumps(said, allow_nan=False)) == said


def test_the_paragraph_says_what_the_document_says(make_plan: MakePlan) -> None:
    plan = make_plan()
    said, text = build_plan_document(plan, {}), " ".join(draw(plan).split())
    assert f"A block is one job for each of {said['jobs_per_block']} cells, about {said['block_s']:.0f} s." in text
    assert f"About {said['blocks']} blocks fit the budget: {said['blocks'] * said['jobs_per_block']} jobs" in text


def test_a_plan_fits_eighty_columns(make_plan: MakePlan) -> None:
    plan = make_plan("tensorflow@2.20:function", "numpy", "torch:script-optimized", axes={"tasks": ("forward",)})
    assert max(map(len, draw(plan).splitlines())) <= 80


def test_a_built_in_workload_needs_no_word_about_its_code(make_plan: MakePlan) -> None:
    plan = make_plan()
    assert list(describe_code_origins(plan)) == []
    assert build_plan_document(plan, {})["workloads"] == []


def test_a_budget_below_one_block_is_said(make_plan: MakePlan) -> None:
    text = " ".join(draw(make_plan(stop={"budget": 0.1, "blocks": 9})).split())
    assert "The budget is shorter than that: only the cells that fit are measured, once." in text
    assert "blocks fit the budget" not in text


def test_a_plan_says_what_a_verdict_needs_in_words_and_in_the_document(make_plan: MakePlan) -> None:
    plan = make_plan(stop={"budget": 1e6, "blocks": 3})
    said, text = build_plan_document(plan, {}), " ".join(draw(plan).split())
    assert (said["pairs"], said["blocks_for_a_verdict"]) == (1, 6)
    assert "1 pair needs 6 blocks for a verdict" in text
    assert "this sweep allows 3: no claim is possible." in text
    alone = build_plan_document(make_plan("numpy"), {})
    assert (alone["pairs"], alone["blocks_for_a_verdict"]) == (0, None)
