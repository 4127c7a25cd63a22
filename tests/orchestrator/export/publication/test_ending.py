"""A run ends as its manifest says: after its blocks, at its goal, or with its budget."""

from datetime import timedelta

import pytest

from orchestrator.analysis.stopping import describe_goal, has_reached_goal
from orchestrator.export.publication.ending import find_wrong_ending
from schemas.record import Extension, JobRecord, Manifest
from schemas.sweep import Stop, SweepSpec
from tests.orchestrator.conftest import NOON, a_manifest, a_run
from tests.orchestrator.export.publication.forging import MODES, OUT_OF_REACH, clone, measured_records

CELLS = (*MODES, clone(MODES[0]))
GOAL = "every ratio to the baseline is known to ±2 %"


def manifest(stopped: str, **stop: object) -> Manifest:
    sweep = SweepSpec(stop=Stop.model_validate(stop))
    return a_manifest(CELLS, stopped=stopped, sweep=sweep.model_dump())


def ending(said: Manifest, records: list[JobRecord]) -> list[str]:
    return list(find_wrong_ending(a_run(said, records)))


def test_all_blocks_need_their_number() -> None:
    said = manifest("all 5 blocks were run", blocks=5)
    assert ending(said, measured_records(blocks=5)) == []
    assert ending(said, measured_records(blocks=4)) == [
        "the manifest says that all 5 blocks were run, and its records end with block 4"
    ]


def test_a_goal_needs_records_that_reach_it_at_the_last_look() -> None:
    said, records = manifest(GOAL), measured_records(blocks=8)
    assert has_reached_goal(said.sweep, CELLS, records, 8)
    assert describe_goal(said.sweep, CELLS, records) == GOAL
    assert ending(said, records) == []
    assert ending(manifest("enough", precision=0.02), records) == [
        "the manifest says that the run ended because 'enough', and its records do not say so"
    ]
    for short in (measured_records(blocks=7), records[:-4]):
        assert ending(said, short) == [
            f"the manifest says that the run ended because {GOAL!r}, and its records do not say so"
        ]


def test_a_run_does_not_go_on_after_its_goal() -> None:
    records = measured_records(blocks=12)
    after = f"the run had reached its goal after block 8, and its manifest says {GOAL!r}"
    assert ending(manifest(GOAL), records) == [after]
    assert ending(manifest("all 12 blocks were run", blocks=12), records)[0].startswith("the run had reached its goal")
    assert ending(manifest("the budget of 140 s was used up", budget=140), records)[0].startswith("the run had reached")
    extension = Extension(when=NOON.isoformat(), stop=Stop(precision=0.1), blocks=8)
    assert ending(manifest(GOAL).model_copy(update={"extensions": (extension,)}), records) == []


def test_the_last_look_needs_all_its_blocks() -> None:
    said = manifest("32 blocks were run, the most for which the intervals are valid", precision=OUT_OF_REACH)
    assert ending(said, measured_records(blocks=32)) == []
    assert len(ending(said, measured_records(blocks=31))) == 1


@pytest.mark.parametrize(("budget", "is_spent"), [(60, True), (70, True), (96, True), (300, False)])
def test_a_spent_budget_needs_the_time_of_its_jobs(budget: int, is_spent: bool) -> None:
    said = manifest(f"the budget of {budget} s was used up", budget=budget, precision=OUT_OF_REACH)
    found = ending(said, measured_records(blocks=5))  # it ends 62 s after its start; a block takes 12 s
    assert (found == []) == is_spent
    if not is_spent:
        assert found == ["the manifest says that the budget of 300 s was used up, and its records end after 62 s"]


def test_profiles_need_time_of_the_budget_as_well() -> None:
    def said(stopped: str, *, profile: bool) -> list[str]:
        found = manifest(stopped, budget=106, precision=OUT_OF_REACH)
        sweep = found.sweep.model_copy(update={"profile": profile})
        return ending(found.model_copy(update={"sweep": sweep}), measured_records(blocks=5))

    spent = "the budget of 106 s was used up"
    left_out = f"{spent}, which left no time for 3 profiles"
    assert said(spent, profile=True) == said(left_out, profile=True) == []
    assert said(spent, profile=False) != []
    assert said(left_out, profile=False) != []


def test_the_first_block_counts_its_cells() -> None:
    def said(measured: int) -> Manifest:
        return manifest(f"the budget of 300 s was used up in the first block: {measured} of 4 cells were measured")

    first = measured_records(blocks=1)[:3]
    assert ending(said(3), first) == []
    assert "do not end in the first block" in ending(said(2), first)[0]
    assert any("do not end in the first block" in each for each in ending(said(4), measured_records(blocks=2)))


def test_a_pause_does_not_count_against_a_run() -> None:
    said = manifest("the budget of 60 s was used up", budget=60, precision=OUT_OF_REACH)
    late = said.model_copy(update={"started": (NOON - timedelta(hours=1)).isoformat()})
    assert ending(late, measured_records(blocks=5)) == []
