from orchestrator.execution.deadlines import Deadlines
from schemas.event import Hello, Phase

S = 1_000_000_000
HELLO = Hello(pid=1, python="3.11", interpreter="x")


def test_a_job_has_until_its_own_deadline() -> None:
    deadlines = Deadlines(5 * S, 10, {})
    deadlines.note_event(HELLO, 6 * S)
    assert deadlines.time_left_s(6 * S) == 9
    assert deadlines.describe_missed(15 * S - 1) == ""
    assert deadlines.describe_missed(15 * S) == "no result within 10 s"
    assert deadlines.time_left_s(16 * S) == 0


def test_a_phase_has_from_its_own_beginning_until_the_next() -> None:
    deadlines = Deadlines(0, 100, {"first_call": 2})
    deadlines.note_event(Phase(name="first_call"), 10 * S)
    assert deadlines.time_left_s(11 * S) == 1
    assert deadlines.describe_missed(12 * S) == "first call took longer than the 2 s allowed for it"
    deadlines.note_event(Phase(name="steady"), 11 * S)
    assert deadlines.describe_missed(12 * S) == ""
    assert deadlines.time_left_s(12 * S) == 88
