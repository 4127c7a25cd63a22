"""The check of clones, on made-up records."""

from orchestrator.selftest.checks import aa
from tests.orchestrator.selftest.readings import find_failed, find_value
from tests.orchestrator.selftest.test_checks import MakeRecords


def test_clones_that_differ_by_chance_pass(make_records: MakeRecords) -> None:
    readings = aa.judge_records(make_records([(cell, 1e5) for cell in aa.CELLS], noise=0.01))
    assert find_failed(readings) == []
    assert find_value(readings, "claims about 15 pairs").startswith("none")


def test_a_clone_that_is_called_slower_breaks_it(make_records: MakeRecords) -> None:
    times = [(cell, 1e5) for cell in aa.CELLS[:5]] + [(aa.CELLS[5], 1.05e5)]
    readings = aa.judge_records(make_records(times))
    assert find_failed(readings) == ["claims about 15 pairs"]
    assert "5 SLOWER" in find_value(readings, "claims")
