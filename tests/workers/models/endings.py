"""The ends of a model's processes, as tests expect them."""

from typing import TYPE_CHECKING

from schemas.event import Failure, Report

if TYPE_CHECKING:
    from tests.workers.models.conftest import Case


def explain(last: object) -> str:
    """Return why a process failed; empty if it did not."""
    return last.reason if isinstance(last, Failure) else ""


def read_refusal(case: "Case", **fields: object) -> str:
    """Return the one sentence with which the reference process refuses a model."""
    last = case.refer(**fields)
    assert isinstance(last, Failure), last
    assert "\n" not in last.reason
    return last.reason


def measure_right(case: "Case", mode: str, **fields: object) -> Report:
    """Measure a model in a mode, and return the report, which must find it right in float64."""
    report = case.measure(mode, case.expect(**fields), **fields)
    assert isinstance(report, Report), explain(report)
    assert (report.verification.reason, report.verification.agreement) == ("", "")
    return report
