"""One job as facts: what a user reads about its ending, its request and its measurements."""

from collections.abc import Callable, Iterable

import pytest

from orchestrator.report.job.facts import (
    describe_disturbance,
    describe_ending,
    describe_limits,
    describe_measurements,
    describe_origins,
    describe_request,
    describe_resources,
    describe_warm_up,
)
from schemas.artefact import Artefact
from schemas.event import Report
from schemas.job import Cell
from schemas.limits import Limits
from schemas.machine_type import identify_type
from schemas.record import JobRecord
from tests.orchestrator.analysis.costs.test_memory import needing

MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]


def collect(facts: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the texts by label."""
    found: dict[str, list[str]] = {}
    for label, text in facts:
        found.setdefault(label, []).append(text)
    return found


def observe(record: JobRecord, **changes: object) -> JobRecord:
    """Change what the parent saw of a job."""
    assert record.outside is not None
    return record.model_copy(update={"outside": record.outside.model_copy(update=changes)})


def request(record: JobRecord, **changes: object) -> JobRecord:
    """Change what a job was asked to do."""
    return record.model_copy(update={"spec": record.spec.model_copy(update=changes)})


def test_the_outcome_comes_first_with_its_reason_and_then_the_advice(make_record: MakeRecord) -> None:
    record = make_record(outcome="raised", reason="ValueError: no", advice="read the log")
    assert list(describe_ending(record))[:2] == [("outcome", "raised: ValueError: no"), ("advice", "read the log")]


def test_a_good_ending_needs_neither_reason_nor_advice(make_record: MakeRecord) -> None:
    facts = collect(describe_ending(make_record()))
    assert facts["outcome"] == ["measured"]
    assert "advice" not in facts


def test_the_supervisor_says_how_long_a_job_took_and_how_it_exited(make_record: MakeRecord) -> None:
    killed = observe(make_record(outcome="killed"), exit_status=-9, last_phase="compile")
    said = collect(describe_ending(killed))["supervisor"]
    assert said == ["2.00 s from spawn to end, started 2025-01-01T00:00:00", "exited with status -9 during compile"]
    assert "during no phase" in collect(describe_ending(observe(killed, last_phase=None)))["supervisor"][-1]


def test_memory_that_the_parent_saw_is_named_with_the_number_of_its_readings(make_record: MakeRecord) -> None:
    seen = observe(make_record(), looks=3, resident_peak_bytes=3 << 30, resident_last_bytes=1 << 20)
    assert "at most 3.0 GiB resident in 3 readings, 1.0 MiB in the last" in collect(describe_ending(seen))["supervisor"]


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        ("job", "2.0 GiB for the job as a whole and each of its processes"),
        ("process", "2.0 GiB for each of its processes"),
    ],
)
def test_a_memory_limit_says_whose_it_is(make_record: MakeRecord, scope: str, text: str) -> None:
    limited = request(observe(make_record(), memory_limit=scope), limits=Limits(memory=2 << 30))
    assert collect(describe_limits(limited)) == {"memory limit": [text]}


def test_a_cgroup_says_what_it_counted_and_nothing_that_it_did_not(make_record: MakeRecord) -> None:
    counted = observe(make_record(), control_group="v2", group_peak_bytes=1 << 30, group_kills=2)
    assert collect(describe_limits(counted)) == {
        "cgroup": ["v2, at most 1.0 GiB with the files that it read first, 2 out-of-memory kills"]
    }
    assert collect(describe_limits(observe(make_record(), control_group="v1"))) == {"cgroup": ["v1"]}
    assert collect(describe_limits(make_record())) == {}


def test_a_request_says_where_when_and_with_which_seeds(make_record: MakeRecord) -> None:
    record = request(make_record(block=4), position=2, attempt=3, seed=11, hash_seed=5, padding_bytes=64, cpus=(1, 3))
    facts = collect(describe_request(record.model_copy(update={"freeze": "abcd"})))
    assert facts["place"] == ["block 4, position 2, attempt 3"]
    assert facts["seeds"] == ["data 11, hashes 5, environment padded by 64 bytes"]
    assert facts["where"] == ["environment current (freeze abcd), cores 1, 3"]
    machine = identify_type(record.host)
    assert facts["machine"] == [f"{machine.label}, fingerprint {record.host.content_hash}"]
    assert "cores all" in collect(describe_request(request(record, cpus=())))["where"][0]


@pytest.mark.parametrize(("calls", "text"), [(None, "each of as many calls as fit"), (12345, "each of 12,345 calls")])
def test_the_timing_says_how_many_samples_of_how_many_calls(
    make_record: MakeRecord, calls: int | None, text: str
) -> None:
    record = make_record()
    timed = request(record, timing=record.spec.timing.model_copy(update={"calls": calls}))
    samples, warm_up = collect(describe_request(timed))["timing"]
    assert samples == f"100 samples of 1.00 ms, {text}"
    assert warm_up == "warm-up of 250 ms to 3.00 s; at most 120 s in all"


def test_limits_are_listed_with_those_of_single_phases(make_record: MakeRecord) -> None:
    plain = collect(describe_request(make_record()))["limits"]
    assert plain == ["no memory limit, log 256 MiB, 4096 files, 512 processes"]
    limited = request(make_record(), limits=Limits(memory=1 << 30, phases={"compile": 90.0}))
    assert collect(describe_request(limited))["limits"] == [
        "memory 1.0 GiB, log 256 MiB, 4096 files, 512 processes, compile 90 s"
    ]


def test_a_built_in_workload_has_no_origin(make_record: MakeRecord) -> None:
    assert list(describe_origins(make_record().spec)) == []


def test_what_a_job_loaded_and_what_it_was_held_to_have_path_size_and_hash(
    make_record: MakeRecord, make_cell: Callable[..., Cell]
) -> None:
    file = Artefact(path="/x/y.onnx", sha256="ab", size_bytes=7)
    spec = request(make_record(make_cell(code="c0de")), artefact=file, expected=file, reference="torch").spec
    facts = collect(describe_origins(spec))
    assert facts["loaded from"] == facts["reference torch"] == ["/x/y.onnx, 7 bytes, SHA-256 ab"]


def test_times_per_call_are_floor_median_and_slowest(make_record: MakeRecord) -> None:
    record = make_record(call_ns=1000)
    assert record.report is not None
    facts = collect(describe_measurements(record, record.report, canary_ns=9))
    assert facts["per call"] == ["floor 1.00 µs, median 1.01 µs, slowest 1.01 µs"]
    assert facts["samples"] == ["3 of 100 calls, each about 100 µs"]
    assert facts["compilations"] == ["0 during timing"]
    assert facts["flags"] == ["none"]
    assert facts["versions"] == ["numpy 2.0"]
    assert facts["loop"] == ["20 ns of a call are overhead of the timing loop: 980 ns net"]


def test_what_was_not_measured_is_left_out_and_what_is_not_counted_is_said(
    make_record: MakeRecord, make_report: MakeReport
) -> None:
    bare = make_report(compilations=None, overhead={"null_ns": 20, "clock_ns": 30, "linearity": None})
    facts = collect(describe_measurements(make_record(result=bare), bare, canary_ns=9))
    assert facts["compilations"] == ["not counted during timing"]
    assert not facts.keys() & {"fresh inputs", "linearity", "energy", "memory", "warned"}


def test_every_warning_of_a_framework_is_a_fact(make_record: MakeRecord, make_report: MakeReport) -> None:
    warned = make_report(warnings=("first", "second"), unseen=1.25)
    facts = collect(describe_measurements(make_record(result=warned), warned, canary_ns=9))
    assert facts["warned"] == ["first", "second"]
    assert facts["fresh inputs"] == ["calls on fresh inputs took at least 1.250 times as long"]


def test_disturbed_samples_are_counted_marked_and_the_worst_is_named(
    make_record: MakeRecord, make_report: MakeReport
) -> None:
    noise = make_report().noise.model_dump() | {
        "run_delay_ns": (0, 50_000, 0),
        "cpu_ns": (101_000, 50_000, 101_000),
        "involuntary_switches": 4,
        "migrations": None,
        "throttled": 2,
    }
    report = make_report(noise=noise)
    lines = list(describe_disturbance(make_record(result=report), report))
    assert lines[0] == ("disturbed", "1 of 3 samples, the worst by 50.0% of its time")
    assert lines[1] == ("", "·×·")
    assert lines[2][1] == "4 involuntary context switches, 0 major page faults; throttled by a quota 2 times"


def test_a_quiet_job_has_no_marks(make_record: MakeRecord) -> None:
    record = make_record()
    assert record.report is not None
    facts = collect(describe_disturbance(record, record.report))
    assert facts["disturbed"] == ["0 of 3 samples"]
    assert facts["canary"] == ["a small fixed product took at least 9.00 ns, 9.00 ns in the median"]
    assert not any("×" in text for text in facts[""])


FLAT = ((1, 900), *[(1, 100)] * 30)


@pytest.mark.parametrize(
    ("laps", "text"),
    [
        (tuple([(1, 100)] * 40), "steady from the first call on"),
        (
            ((1, 9000), (1, 9000), (1, 9000), (1, 9000), (1, 9000), (1, 9000), (1, 9000), *[(10, 1000)] * 40),
            "from call 8 on",
        ),
        (((1, 9), (1, 9)), "not steady by the end"),
    ],
)
def test_a_warm_up_says_from_which_call_on_times_were_steady(
    make_report: MakeReport, laps: tuple[tuple[int, int], ...], text: str
) -> None:
    (first, bars) = describe_warm_up(make_report(warmup=laps))
    assert text in first[1]
    assert bars[0] == ""
    assert set(bars[1].partition(" ")[0]) <= set("▁▂▃▄▅▆▇█")


def test_work_memory_and_energy_are_said_where_they_are_known(make_report: MakeReport) -> None:
    energy = {"joules": 3.0, "seconds": 2.0, "calls": 100, "source": "RAPL packages"}
    work = {"work": {"flops": 1000, "bytes": 10}, "ceiling": {"flops_per_s": 1e10, "bytes_per_s": 1e10}}
    facts = collect(describe_resources(make_report(1000, **needing(220) | work, energy=energy)))
    assert facts["work"] == ["1,000 operations per call, 10 % of the highest rate in this process"]
    assert facts["energy"] == ["0.03 J per call over 2.0 s, RAPL packages, whole machine"]
    assert facts["memory"][0].startswith("import ")
    assert collect(describe_resources(make_report(ceiling={"flops_per_s": 0, "bytes_per_s": 0}))) == {}


def test_a_job_that_was_stopped_says_for_how_long_and_where(make_record: MakeRecord, make_report: MakeReport) -> None:
    costs = ({"name": "import", "wall_ns": 1, "cpu_ns": 1, "stopped_ns": 180 * 10**9},)
    stopped = observe(make_record(result=make_report(phases=costs)), stopped_ns=180 * 10**9)
    assert collect(describe_ending(stopped))["stopped"] == [
        "for 180 s during import, by a signal; no phase includes that"
    ]
    lost = observe(make_record(outcome="timeout"), stopped_ns=2 * 10**9, suspended_ns=10**10)
    assert collect(describe_ending(lost))["stopped"] == [
        "for 2.00 s, by a signal; no phase includes that",
        "the machine slept for 10.0 s; no time includes that",
    ]
    assert "stopped" not in collect(describe_ending(make_record()))
