"""Single jobs with a simulated launcher."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.environments.lookup import Environments
from orchestrator.execution.job import JobRunner
from orchestrator.execution.supervisor import Ending
from orchestrator.records import store
from orchestrator.records.outcomes import Classification
from orchestrator.records.store import Store
from schemas.artefact import Artefact
from schemas.event import Event, Exported, Hello, Profiled, Report
from schemas.job import ComputeReference, Export, JobSpec, Measure, Profile, Purpose
from schemas.record import Host, JobRecord

HELLO = Hello(pid=1, python="3.11", interpreter="x")
WRITTEN = Artefact(path="/x", sha256="ab", size_bytes=3)
EXPORTED = Exported(artefact=WRITTEN, versions={}, settings=(), phases=())
PROFILED = Profiled(trace=WRITTEN, calls=10, counts={}, versions={}, phases=())

MakeSpec = Callable[..., JobSpec]
MakeReport = Callable[..., Report]
MakeRunner = Callable[..., JobRunner]


@pytest.fixture
def run(tmp_path: Path) -> Store:
    return store.create_run(tmp_path, "test", datetime(2025, 1, 1, tzinfo=UTC))


@pytest.fixture
def make_runner(run: Store, host: Host) -> MakeRunner:
    """Make a runner whose every job sends these events, writes to its log and ends."""

    def make(*events: Event, status: int = 0) -> JobRunner:
        def act(spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
            log.write_text("said")
            return Ending("ended", status, (HELLO, *events), 10**9)

        return JobRunner(act, run, host, Environments())

    return make


def read_all(run: Store) -> list[JobRecord]:
    return [*run.read_records(), *run.read_artefact_records(), *run.read_profiles()]


@pytest.mark.parametrize(
    ("purpose", "outcome"),
    [
        (Measure(), "measured"),
        (Export(path="/x"), "exported"),
        (ComputeReference(path="/x"), "exported"),
        (Profile(path="/x"), "profiled"),
    ],
)
def test_a_job_of_any_purpose_leaves_one_record_with_its_result(
    run: Store, make_runner: MakeRunner, make_spec: MakeSpec, make_report: MakeReport, purpose: Purpose, outcome: str
) -> None:
    results: dict[str, Report | Exported | Profiled] = {"exported": EXPORTED, "profiled": PROFILED}
    result = results.get(outcome) or make_report()
    spec = make_spec(purpose=purpose)
    record = make_runner(result).run_job(spec)
    assert (record.outcome, record.result, record.reason, record.advice) == (outcome, result, "", "")
    assert record.freeze == Environments().find("current").freeze
    assert run.log_path(spec).read_text() == "said"
    assert [(kept.spec, kept.outcome) for kept in read_all(run)] == [(spec, outcome)]


@pytest.mark.parametrize("purpose", [Measure(), Export(path="/x"), ComputeReference(path="/x"), Profile(path="/x")])
def test_a_job_of_any_purpose_that_dies_leaves_one_record_with_the_reason(
    run: Store, make_runner: MakeRunner, make_spec: MakeSpec, purpose: Purpose
) -> None:
    record = make_runner(status=-signal.SIGSEGV).run_job(make_spec(purpose=purpose))
    assert (record.outcome, record.result) == ("killed", None)
    assert record.outside is not None
    assert record.outside.exit_status == -signal.SIGSEGV
    assert read_all(run) == [record]


def test_a_job_that_was_not_started_has_a_record_too(run: Store, make_runner: MakeRunner, make_spec: MakeSpec) -> None:
    record = make_runner().keep_record(make_spec(), Classification("unsupported", "no such mode"))
    assert (record.outcome, record.reason, record.outside) == ("unsupported", "no such mode", None)
    assert record.advice
    assert read_all(run) == [record]
