"""Outcomes of jobs: advice for each, which are final, and which are tried again."""

import signal
from collections.abc import Callable, Sequence
from typing import get_args

import pytest

from orchestrator.records import outcomes
from orchestrator.records.outcomes import (
    ACCUSATIONS,
    ADVICE,
    CRASH_SIGNALS,
    FINAL_OUTCOMES,
    RERUN_OUTCOMES,
    Classification,
    is_transient,
    should_retry,
)
from schemas.record import JobRecord, Outcome

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


SUCCESSES = {"measured", "exported", "profiled"}


FAILURES = [outcome for outcome in OUTCOMES if outcome not in SUCCESSES]


MakeRecord = Callable[..., JobRecord]


@pytest.fixture
def ended(make_record: MakeRecord) -> Callable[..., JobRecord]:
    """Return a function that makes the record of a job with this outcome and exit status."""

    def make(outcome: str, status: int | None = -signal.SIGKILL) -> JobRecord:
        record = make_record(outcome=outcome)
        assert record.outside is not None
        return record.model_copy(update={"outside": record.outside.model_copy(update={"exit_status": status})})

    return make


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_but_success_has_its_advice_in_one_clause(outcome: Outcome) -> None:
    advice = Classification(outcome).advice
    assert (advice == "") == (outcome in SUCCESSES)
    assert not advice.endswith(".")
    assert ". " not in advice


def test_no_outcome_has_been_forgotten_or_invented() -> None:
    assert ADVICE.keys() == {*OUTCOMES}


def test_what_is_final_is_not_run_again() -> None:
    assert not FINAL_OUTCOMES & RERUN_OUTCOMES
    assert ACCUSATIONS < FINAL_OUTCOMES
    assert not SUCCESSES & (FINAL_OUTCOMES | RERUN_OUTCOMES)


@pytest.mark.parametrize("number", sorted(CRASH_SIGNALS))
def test_a_crash_would_come_again(ended: Callable[..., JobRecord], number: int) -> None:
    assert not is_transient(ended("killed", -number))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_from_outside_may_not_come_again(ended: Callable[..., JobRecord], number: int) -> None:
    assert is_transient(ended("killed", -number))


@pytest.mark.parametrize(
    "outcome", ["measured", *(outcome for outcome in FAILURES if outcome not in ("killed", "stopped"))]
)
def test_no_other_outcome_is_transient_whatever_the_status(ended: Callable[..., JobRecord], outcome: str) -> None:
    assert not is_transient(ended(outcome))


def test_without_a_status_nothing_is_known_to_be_transient(
    ended: Callable[..., JobRecord], make_record: MakeRecord
) -> None:
    assert not is_transient(ended("killed", None))
    assert not is_transient(make_record(outcome="killed", outside=None))


@pytest.mark.parametrize(
    ("outcomes", "again"),
    [
        (["killed"], True),
        (["killed", "killed"], False),
        (["interrupted"], True),
        (["killed", "interrupted"], True),
        (["orchestrator-lost", "orchestrator-lost"], True),
        (["killed", "measured"], False),
        (["raised"], False),
        (["measured"], False),
        (["orchestrator-lost", "killed"], True),
        (["implausible"], True),
        (["nonlinear"], True),
        (["nonlinear", "implausible"], False),
        (["implausible", "measured"], False),
        (["implausible", "killed"], True),
        (["interrupted", "nonlinear"], True),
        (["wrong"], False),
    ],
)
def test_a_lost_job_is_tried_until_it_is_not_lost_and_a_killed_or_accused_one_once(
    ended: Callable[..., JobRecord], outcomes: list[str], again: bool
) -> None:
    assert should_retry([ended(outcome) for outcome in outcomes]) is again


@pytest.mark.parametrize(
    ("attempts", "again"),
    [
        (["measured"], False),
        (["raised"], False),
        (["timeout"], False),
        (["out-of-memory"], False),
        (["interrupted"], True),
        (["orchestrator-lost"], True),
        (["interrupted", "orchestrator-lost"], True),
        ([-9], True),
        ([-15], True),
        ([-11], False),
        ([-6], False),
        ([-9, -9], False),
        ([-9, "measured"], False),
        (["interrupted", -9], True),
        ([-9, "interrupted", -9], False),
        (["stopped"], True),
        (["stopped", "measured"], False),
        (["stopped", "stopped"], False),
        (["stopped", -9], False),
    ],
)
def test_what_somebody_did_is_tried_once_more_and_what_the_job_did_is_not(
    make_record: Callable[..., JobRecord], attempts: Sequence[Outcome | int], again: bool
) -> None:
    def record(said: Outcome | int) -> JobRecord:
        if isinstance(said, str):
            return make_record(outcome=said)
        plain = make_record(outcome="killed")
        assert plain.outside is not None
        return plain.model_copy(update={"outside": plain.outside.model_copy(update={"exit_status": said})})

    assert outcomes.should_retry([record(said) for said in attempts]) == again
