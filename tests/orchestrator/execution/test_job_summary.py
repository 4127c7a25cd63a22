"""A record begins with what a person looks for, and nobody has to trust it."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.analysis.run import Run
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.environments.lookup import Environments
from orchestrator.execution.job import JobRunner
from orchestrator.execution.job_summary import add_summary, summarise_record
from orchestrator.records import store
from orchestrator.records.outcomes import Classification
from orchestrator.records.store import Store
from schemas.event import Report
from schemas.record import JobRecord
from tests.conftest import QUIET
from tests.orchestrator.analysis.costs.test_memory import needing
from tests.orchestrator.conftest import HOST, NOON, Said, a_spec

MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]


def sampled(make_report: MakeReport, *samples_ns: int, calls: int = 100, **changes: object) -> Report:
    """Return the report of a process with these samples."""
    zeros = (0,) * len(samples_ns)
    counters = {"run_delay_ns": zeros, "steal_ns": zeros, "pressure_ns": zeros, "canary_ns": (9,) * len(samples_ns)}
    noise = QUIET | counters | {"cpu_ns": samples_ns}
    return make_report(**{"samples_ns": samples_ns, "calls": calls, "noise": noise} | changes)


def test_the_summary_has_the_time_per_call_with_its_spread_and_interval(
    make_record: MakeRecord, make_report: MakeReport
) -> None:
    report = sampled(make_report, *(100 * (1000 + step) for step in range(20)))
    found = summarise_record(make_record(result=report))
    assert (found.fastest_ns, found.median_ns, found.slowest_ns, found.samples) == (1000, 1009.5, 1019, 20)
    assert found.median_low_ns is not None
    assert found.median_high_ns is not None
    assert 1000 < found.median_low_ns < 1009.5 < found.median_high_ns < 1019


def test_three_samples_support_no_interval(make_record: MakeRecord) -> None:
    found = summarise_record(make_record(call_ns=2000))
    assert (found.fastest_ns, found.median_low_ns, found.median_high_ns) == (2000, None, None)
    assert "2.00 µs per call (median 2.02 µs, over 3 samples of one process)" in found.text


def test_the_summary_has_the_headline_memory_of_the_process(make_record: MakeRecord, make_report: MakeReport) -> None:
    found = summarise_record(make_record(result=make_report(**needing(220))))
    assert found.step_peak_bytes is not None
    assert found.footprint_bytes is not None
    assert 0 < found.step_peak_bytes < found.footprint_bytes
    assert "step peak " in found.text
    assert ", footprint " in found.text


def test_a_disturbed_process_has_its_flags_in_numbers_and_in_words(
    make_record: MakeRecord, make_report: MakeReport
) -> None:
    quiet = make_report()
    stolen = quiet.noise.model_copy(update={"steal_ns": quiet.samples_ns})
    found = summarise_record(make_record(result=quiet.model_copy(update={"noise": stolen})))
    assert found.flags == ("STEAL",)
    assert found.text.endswith("; disturbed (STEAL)")
    assert summarise_record(make_record()).text.endswith("; undisturbed")


def test_a_job_without_a_measurement_says_why(make_record: MakeRecord) -> None:
    found = summarise_record(make_record(outcome="raised", reason="ValueError: no"))
    assert found.text == "raised: ValueError: no."
    assert (found.fastest_ns, found.samples, found.flags) == (None, 0, ())


def test_the_time_of_a_wrong_job_is_called_one_that_does_not_count(make_record: MakeRecord) -> None:
    text = summarise_record(make_record(outcome="wrong", reason="it is off")).text
    assert text.startswith("wrong: it is off. Does not count: 1.00 µs per call")


@pytest.fixture
def written(make_run: Callable[..., Store], make_record: MakeRecord) -> Path:
    """Return the file of a record as a job runner writes it."""
    place = make_run("mine", [])
    place.write_record(add_summary(make_record()))
    (path,) = place.jobs_folder.glob("*.json")
    return path


def test_a_record_begins_with_outcome_reason_and_summary(written: Path) -> None:
    lines = written.read_text().splitlines()
    places = [
        next(number for number, line in enumerate(lines) if line.startswith(f' "{name}"'))
        for name in ("outcome", "reason", "advice", "summary", "spec", "result")
    ]
    assert all(one < other for one, other in pairwise(places))
    assert places[3] < 6
    assert json.loads(written.read_text())["summary"]["fastest_ns"] == 1000


def test_each_list_of_numbers_is_one_line(written: Path, make_report: MakeReport) -> None:
    assert f'  "samples_ns": {list(make_report().samples_ns)},' in written.read_text().splitlines()


@pytest.mark.parametrize("summary", [None, {"text": "1 ns per call", "cell": "x", "fastest_ns": 1}, "garbage", [1]])
def test_whatever_stands_in_a_summary_the_record_is_read_without_it(
    written: Path, make_record: MakeRecord, summary: object
) -> None:
    document = json.loads(written.read_text()) | {"summary": summary}
    written.write_text(json.dumps(document))
    assert store.read_record(written) == make_record()


def test_a_record_of_before_there_were_summaries_is_read(written: Path, make_record: MakeRecord) -> None:
    document = json.loads(written.read_text())
    del document["summary"]
    written.write_text(json.dumps(document))
    assert store.read_record(written) == make_record()


def test_the_runner_of_jobs_writes_the_summary_and_returns_the_record_as_it_is_read(tmp_path: Path) -> None:
    def launch(*_: object) -> None:
        raise AssertionError("no job is launched")

    place = store.create_run(tmp_path, "mine", NOON)
    kept = JobRunner(launch, place, HOST, Environments({})).keep_record(  # type: ignore[arg-type]
        a_spec(), Classification("unsupported", "no such mode")
    )
    (path,) = place.jobs_folder.glob("*.json")
    assert json.loads(path.read_text())["summary"]["text"] == "unsupported: no such mode."
    assert place.read_records() == [kept]


def test_show_computes_the_summary_of_a_job_anew(
    inside: Callable[..., Said], make_run: Callable[..., Store], make_record: MakeRecord
) -> None:
    place = make_run("mine", [make_record(call_ns=3000)])
    (path,) = place.jobs_folder.glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"summary": {"text": "1 ns", "cell": "x"}}))
    said = inside("show", "mine", "001-numpy", "--json")
    assert said.code == ExitCode.FINE
    assert json.loads(said.out)["summary"]["fastest_ns"] == 3000
    assert Run.from_store(place).records[0].summary is None
