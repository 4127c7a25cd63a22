"""The check of cheats and faults, on made-up records."""

import pytest

from orchestrator.records.outcomes import ACCUSATIONS
from orchestrator.selftest.checks import outcomes
from schemas.job import Cell
from schemas.record import JobRecord, Outcome
from tests.orchestrator.selftest.readings import find_failed
from tests.orchestrator.selftest.test_checks import MakeRecord


def make_endings(make_record: MakeRecord, cell: Cell, outcome: Outcome) -> list[JobRecord]:
    """Return the records of a cell that ends so: two, if its times alone accuse it."""
    return [make_record(cell, outcome=outcome) for _ in range(2 if outcome in ACCUSATIONS else 1)]


def test_cheats_and_faults_that_end_as_they_should_pass(make_record: MakeRecord) -> None:
    records = [each for ending in outcomes.EXPECTED_OUTCOMES for each in make_endings(make_record, *ending)]
    assert find_failed(outcomes.judge_records(records)) == []


@pytest.mark.parametrize("cheat", outcomes.CHEATS)
def test_a_cheat_that_is_taken_for_a_measurement_breaks_it(make_record: MakeRecord, cheat: str) -> None:
    records = [
        each
        for cell, outcome in outcomes.EXPECTED_OUTCOMES
        for each in make_endings(make_record, cell, "measured" if cell.mode == cheat and cell.batch == 64 else outcome)
    ]
    assert find_failed(outcomes.judge_records(records)) == [f"{cheat}, mlp, batch 64"]


def test_one_process_alone_accuses_no_cheat(make_record: MakeRecord) -> None:
    records = [make_record(cell, outcome=outcome) for cell, outcome in outcomes.EXPECTED_OUTCOMES]
    accused = [cell for cell, outcome in outcomes.EXPECTED_OUTCOMES if outcome in ACCUSATIONS]
    assert len(find_failed(outcomes.judge_records(records))) == len(accused) > 0


def test_an_outcome_that_is_not_the_expected_one_is_shown_with_its_reason(make_record: MakeRecord) -> None:
    reading = outcomes.judge_outcome(
        outcomes.EXPECTED_OUTCOMES[0][0], "wrong", [make_record(outcomes.EXPECTED_OUTCOMES[0][0], outcome="killed")]
    )
    assert (reading.passed, reading.found) == (False, "killed: because it was killed")
