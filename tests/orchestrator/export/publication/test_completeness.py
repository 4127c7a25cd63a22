"""The records that a run must have follow from the sweep's rules; each one that is missing or too many is named."""

from collections.abc import Sequence

import pytest

from orchestrator.export.publication.completeness import find_missing_records, is_given_up
from schemas.job import Cell
from schemas.record import JobRecord, Placement
from tests.orchestrator.conftest import a_cell, a_manifest, a_spec
from tests.orchestrator.export.publication.forging import Clock, a_job, a_refused, clone

ONE, OTHER = a_cell("numpy:eager"), a_cell("torch:eager")
CELLS = (ONE, OTHER, clone(ONE))
ENDED = "all blocks were run"
SPENT = "the budget of 300 s was used up"


def jobs(*said: tuple[Cell, int, str]) -> list[JobRecord]:
    """Records of jobs by cell, block and outcome, each the next attempt if there was one."""
    clock, found = Clock(), list[JobRecord]()
    for cell, block, outcome in said:
        attempt = 1 + sum((each.spec.cell, each.spec.block) == (cell, block) for each in found)
        found.append(a_job(clock, cell, block, 1000.0, outcome, spec=a_spec(cell, block, attempt=attempt)))
    return found


def whole(*blocks: int, cells: Sequence[Cell] = CELLS) -> list[tuple[Cell, int, str]]:
    return [(cell, block, "measured") for block in blocks for cell in cells]


def missing(records: Sequence[JobRecord], stopped: str = ENDED) -> list[str]:
    return list(find_missing_records(a_manifest(CELLS, stopped=stopped), records))


def test_a_record_for_each_cell_of_each_block_is_complete() -> None:
    assert missing(jobs(*whole(1, 2, 3))) == []


def test_a_missing_record_is_named_with_its_block() -> None:
    said = whole(1, 2, 3)
    assert missing(jobs(*(each for each in said if each[:2] != (OTHER, 2)))) == [
        f"{OTHER.id} has no record in block 2",
        f"{OTHER.id} has a record in block 3, and none in block 2",
    ]
    assert missing(jobs(*(each for each in said if each[:2] != (OTHER, 3)))) == [f"{OTHER.id} has no record in block 3"]


def test_a_run_without_blocks_has_no_result() -> None:
    assert "it has no block of records" in missing([])


def test_a_spent_budget_cuts_the_last_block_and_no_other() -> None:
    assert missing(jobs(*whole(1, 2)[:-1]), SPENT) == []
    assert missing(jobs(*whole(1)[:-1], *whole(2, 3)), SPENT) == [
        f"{clone(ONE).id} has no record in block 1",
        f"{clone(ONE).id} has a record in block 3, and none in block 1",
    ]


def test_a_cell_without_any_record_is_missing_unless_the_budget_ended_the_first_block() -> None:
    first, second = (jobs(*whole(*blocks, cells=(ONE, clone(ONE)))) for blocks in ((1,), (1, 2)))
    in_first = f"{SPENT} in the first block: 2 of 3 cells were measured"
    assert missing(first, in_first) == []
    assert missing(first) == [f"{OTHER.id} has no record in block 1"]
    for stopped in (SPENT, in_first, ENDED):
        assert missing(second, stopped) == [f"{OTHER.id} has no record in block 1"]


@pytest.mark.parametrize("stopped", ["the budget of 600 s was used up", "the budget of 300 s", f"{SPENT} too soon"])
def test_the_sentence_of_a_spent_budget_is_that_of_the_sweep(stopped: str) -> None:
    assert missing(jobs(*whole(1, 2)[:-1]), stopped) == [f"{clone(ONE).id} has no record in block 2"]


def test_a_run_without_any_cell_left_has_given_up_each_one() -> None:
    given_up = [*whole(1), *((cell, 2, "unsupported") for cell in CELLS)]
    left = "no cell was left that could be measured"
    assert missing(jobs(*given_up), left) == []
    assert missing(jobs(*given_up[:-1], (clone(ONE), 2, "measured")), left) == [
        f"{clone(ONE).id} has no record in block 3"
    ]


@pytest.mark.parametrize("outcome", ["stopped", "nonlinear", "implausible"])
def test_an_attempt_that_is_due_cannot_be_left_out(outcome: str) -> None:
    rest = [each for each in whole(1) if each[0] != OTHER]
    assert missing(jobs(*rest, (OTHER, 1, outcome))) == [f"001-{OTHER.id} was {outcome} and has no further attempt"]
    assert missing(jobs(*rest, (OTHER, 1, outcome)), SPENT) == []
    filled = a_job(Clock(), OTHER, 0, 1000.0, outcome, spec=a_spec(OTHER, 0))
    assert missing([filled, *jobs(*rest)]) == []


@pytest.mark.parametrize("outcome", ["wrong", "unfair", "unsupported", "recompiled", "overhead-dominated"])
def test_a_final_outcome_ends_a_cell(outcome: str) -> None:
    ended = [*whole(1, 2, cells=(ONE, clone(ONE))), (OTHER, 1, outcome)]
    assert missing(jobs(*ended)) == []
    assert missing(jobs(*ended, (OTHER, 2, "measured"))) == [
        f"{OTHER.id} has a record in block 2, although block 1 gave it up"
    ]


@pytest.mark.parametrize("outcome", ["raised", "timeout", "out-of-memory"])
def test_two_failures_end_a_cell_and_one_does_not(outcome: str) -> None:
    rest = whole(1, 2, 3, cells=(ONE, clone(ONE)))
    assert missing(jobs(*rest, (OTHER, 1, outcome), (OTHER, 2, "measured"), (OTHER, 3, outcome))) == []
    assert missing(jobs(*rest, (OTHER, 1, outcome), (OTHER, 2, outcome))) == []
    assert missing(jobs(*rest, (OTHER, 1, outcome))) == [f"{OTHER.id} has no record in block 2"]


def in_shares(records: Sequence[JobRecord], *last: int) -> list[JobRecord]:
    """The same records of a run on several machines, with the last block of each share."""
    shares = [1 + sum(each.spec.block > block for block in last) for each in records]
    return [
        each.model_copy(update={"placement": Placement(node="node 1", share=share, attempt=1)})
        for each, share in zip(records, shares, strict=True)
    ]


@pytest.mark.parametrize("outcome", ["raised", "wrong"])
def test_each_share_of_a_run_gives_up_a_cell_by_itself(outcome: str) -> None:
    blocks = (1, 2, 3, 4, 5, 6)
    rest = whole(*blocks, cells=(ONE, clone(ONE)))
    failed = (1, 2, 4, 5) if outcome == "raised" else (1, 4)
    found = jobs(*rest, *((OTHER, block, outcome) for block in failed))
    assert missing(in_shares(found, 3)) == []
    assert missing(in_shares(found, 2)) != []
    assert missing(found) != []
    refused = [each for each in found if each.spec.cell != OTHER] + [
        a_refused(OTHER).model_copy(update={"spec": a_spec(OTHER, block)}) for block in (1, 4)
    ]
    assert missing(in_shares(refused, 3)) == []


def test_a_record_or_a_block_that_is_missing_from_a_share_is_named() -> None:
    said = whole(1, 2, 3, 4)
    lacking = jobs(*(each for each in said if each[:2] != (OTHER, 4)))
    assert missing(in_shares(lacking, 2)) == [f"{OTHER.id} has no record in block 4"]
    gap = jobs(*(each for each in said if each[1] != 3))
    assert missing(in_shares(gap, 2)) == [f"{cell.id} has no record in block 3" for cell in CELLS]


def test_a_skipped_cell_takes_its_clone_along() -> None:
    rest = whole(1, 2, cells=(OTHER,))
    assert missing(jobs(*rest, (clone(ONE), 1, "measured"), (ONE, 1, "measured"), (ONE, 2, "skipped"))) == []


def test_a_job_that_was_never_started_is_the_only_record_of_its_cell() -> None:
    refused = a_refused(OTHER, "raised")
    assert is_given_up(refused, 1)
    assert missing([*jobs(*whole(1, 2, cells=(ONE, clone(ONE)))), refused]) == []


def test_a_broken_reference_ends_all_cells_that_share_it() -> None:
    broken = [a_refused(cell, "raised").model_copy(update={"breach": "reference"}) for cell in CELLS]
    assert missing(broken) == []
    assert missing(broken[:1]) == []


def test_a_cache_that_was_not_filled_leaves_no_other_record() -> None:
    failed = a_job(Clock(), OTHER, 0, 1000.0, "raised", spec=a_spec(OTHER, 0))
    assert missing([failed, *jobs(*whole(1, cells=(ONE, clone(ONE))))]) == []


def test_a_killed_or_an_accused_job_is_repeated_once() -> None:
    rest = [each for each in whole(1) if each[0] != OTHER]
    assert missing(jobs(*rest, (OTHER, 1, "stopped"), (OTHER, 1, "measured"))) == []
    assert missing(jobs(*rest, (OTHER, 1, "nonlinear"), (OTHER, 1, "measured"))) == []
    (sentence,) = missing(jobs(*rest, (OTHER, 1, "measured"), (OTHER, 1, "measured")))
    assert sentence == f"001-{OTHER.id}-attempt-2 repeats a job that had an outcome"
    (sentence,) = missing(jobs(*rest, (OTHER, 1, "raised"), (OTHER, 1, "measured")))
    assert sentence.endswith("repeats a job that had an outcome")


def test_an_interrupted_job_needs_a_further_attempt() -> None:
    rest = [each for each in whole(1) if each[0] != OTHER]
    assert missing(jobs(*rest, (OTHER, 1, "interrupted"), (OTHER, 1, "measured"))) == []
    assert missing(jobs(*rest, (OTHER, 1, "interrupted"))) == [
        f"001-{OTHER.id} was interrupted and has no further attempt"
    ]
    assert missing(jobs(*rest, (OTHER, 1, "interrupted")), SPENT) == []


def test_an_attempt_that_is_missing_is_noticed() -> None:
    *rest, last = jobs(*whole(1))
    second = last.model_copy(update={"spec": last.spec.model_copy(update={"attempt": 2})})
    assert missing([*rest, second]) == [f"an attempt before 001-{last.spec.cell.id}-attempt-2 is missing"]


def test_a_record_of_another_cell_is_named() -> None:
    stranger = a_cell("jax:jit")
    assert f"001-{stranger.id} is of a cell that the manifest does not have" in missing(
        jobs(*whole(1), (stranger, 1, "measured"))
    )
