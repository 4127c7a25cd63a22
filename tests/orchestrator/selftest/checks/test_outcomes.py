"""The check of cheats and faults, on made-up records."""

import pytest

from orchestrator.selftest.checks import outcomes
from tests.orchestrator.selftest.readings import find_failed
from tests.orchestrator.selftest.test_checks import MakeRecord


def test_cheats_and_faults_that_end_as_they_should_pass(make_record: MakeRecord) -> None:
    assert (
        find_failed(
            outcomes.judge_records([make_record(cell, outcome=outcome) for cell, outcome in outcomes.EXPECTED_OUTCOMES])
        )
        == []
    )


@pytest.mark.parametrize("cheat", outcomes.CHEATS)
def test_a_cheat_that_is_taken_for_a_measurement_breaks_it(make_record: MakeRecord, cheat: str) -> None:
    records = [
        make_record(cell, outcome="measured" if cell.mode == cheat and cell.batch == 64 else outcome)
        for cell, outcome in outcomes.EXPECTED_OUTCOMES
    ]
    assert find_failed(outcomes.judge_records(records)) == [f"{cheat}, mlp, batch 64"]


def test_an_outcome_that_is_not_the_expected_one_is_shown_with_its_reason(make_record: MakeRecord) -> None:
    reading = outcomes.judge_outcome(
        outcomes.EXPECTED_OUTCOMES[0][0], "wrong", [make_record(outcomes.EXPECTED_OUTCOMES[0][0], outcome="killed")]
    )
    assert (reading.passed, reading.found) == (False, "killed: because it was killed")
