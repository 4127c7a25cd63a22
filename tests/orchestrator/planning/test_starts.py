"""Jobs that are forked from templates, and those that start fresh."""

import sys
from collections.abc import Mapping

import pytest

from orchestrator.planning.starts import FRESH_INTERVAL, choose_start, is_fresh_block, is_thorough_block
from schemas.models import ModelSource, PytestCase
from schemas.sweep import SweepSpec
from tests.orchestrator.conftest import a_cell, a_plan


def test_the_first_block_and_every_fifth_after_it_start_fresh() -> None:
    assert [block for block in range(1, 14) if is_fresh_block(block)] == [1, 6, 11]
    assert FRESH_INTERVAL == 5


def test_what_hardly_differs_is_measured_in_the_first_two_blocks_and_in_fresh_ones() -> None:
    assert [block for block in range(1, 14) if is_thorough_block(block)] == [1, 2, 6, 11]
    for start in ("template", "fresh"):
        plan = a_plan(start=start)
        jobs = [plan.build_job(plan.cells[0], block, 0) for block in range(1, 8)]
        assert [job.block for job in jobs if job.thorough] == [1, 2, 6]


def test_a_job_that_fills_a_cache_starts_fresh() -> None:
    assert is_fresh_block(0)


@pytest.mark.parametrize(
    ("said", "device", "start"),
    [
        ({}, "cpu", "template"),
        ({"start": "fresh"}, "cpu", "fresh"),
        ({}, "cuda", "fresh"),
        ({"limits": {"memory": "1GiB"}}, "cpu", "fresh"),
        ({"limits": {"processes": 9}}, "cpu", "template"),
        ({"rank_by": "footprint"}, "cpu", "fresh"),
        ({"rank_by": "step_peak"}, "cpu", "fresh"),
        ({"rank_by": "device_peak"}, "cpu", "fresh"),
    ],
)
def test_a_job_is_forked_unless_its_figures_or_limits_would_suffer(
    said: Mapping[str, object], device: str, start: str
) -> None:
    assert choose_start(SweepSpec.model_validate(said), a_cell(device=device), None, 2) == start


def test_a_plan_says_for_each_job_how_it_starts() -> None:
    plan = a_plan()
    starts = [plan.build_job(plan.cells[0], block, 0).start for block in range(1, 7)]
    assert starts == ["fresh", *["template"] * 4, "fresh"]


def test_a_sweep_that_asks_for_fresh_processes_gets_no_other() -> None:
    plan = a_plan(start="fresh")
    assert {plan.build_job(cell, block, 0).start for cell in plan.cells for block in range(9)} == {"fresh"}


def test_a_job_inside_a_test_of_the_user_starts_fresh() -> None:
    test = PytestCase(node="test_net.py::test_it", folder="/project")
    for model, start in ((ModelSource(folder="/project", test=test), "fresh"), (ModelSource(folder="/p"), "template")):
        assert choose_start(SweepSpec(), a_cell(), model, 2) == start


def test_a_block_is_expected_to_take_less_if_most_blocks_are_forked() -> None:
    modes, known = ("torch:eager", "torch:trace"), {"torch:eager": 3.0, "torch:trace": 3.0}
    fresh, forked = (a_plan(*modes, start=start).estimate_block_s(known) for start in ("fresh", "template"))
    assert fresh == 9.0
    # In four blocks of five, two of the three imports of at most 1.8 s are saved, or side by side on two cores.
    assert 9.0 - 0.8 * 2 * 1.8 <= forked < 9.0


def test_jobs_are_forked_on_linux_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert choose_start(SweepSpec(), a_cell(), None, 2) == "fresh"


def test_jobs_of_one_template_have_its_layout_of_memory_and_others_have_another() -> None:
    plan = a_plan("torch:eager", "torch:trace", "numpy")

    def list_layouts(block: int) -> dict[str, tuple[int, int]]:
        jobs = [plan.build_job(cell, block, 0) for cell in plan.cells]
        return {job.cell.label: (job.hash_seed, job.padding_bytes) for job in jobs}

    forked, later, fresh = map(list_layouts, (2, 3, 1))
    assert forked["torch:eager"] == forked["torch:trace"] != later["torch:eager"]
    # The clone and another framework have templates of their own; without templates, each job has its own layout.
    assert len(set(forked.values())) == 3
    assert len(set(fresh.values())) == 4
