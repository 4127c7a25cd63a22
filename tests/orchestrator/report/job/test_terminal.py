import io
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from orchestrator.report.job import terminal
from schemas.artefact import Artefact
from schemas.event import Report
from schemas.job import JobSpec
from schemas.record import JobRecord
from tests.conftest import QUIET
from tests.orchestrator.analysis.costs.test_memory import phase

MakeRecord = Callable[..., JobRecord]
MakeSpec = Callable[..., JobSpec]
BY_SAMPLE = ("run_delay_ns", "steal_ns", "pressure_ns", "cpu_ns", "canary_ns")


def shown(record: JobRecord, log: Path, width: int = 200, canary_ns: float = 0.0) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    terminal.show_job(console, record, log, canary_ns)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_measured_job_is_told_from_its_question_to_its_times(
    tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    report = make_report(
        5000,
        settings=({"name": "threads", "asked": "1", "got": "1"},),
        verification={
            "checks": (
                {"tensor": "loss", "inputs": "set 0", "error": 1e-7, "worst": 1e-7, "tolerance": 2e-6, "passed": True},
            )
        },
        warnings=("DeprecationWarning: old",),
    )
    text = shown(make_record(result=report), tmp_path / "log")
    for said in (
        "001-numpy-eager-mlp",
        "measured",
        "batch 1, float32",
        "2.00 s from spawn",
        "floor 5.00 µs",
        "3 of 100 calls",
        "numpy 2.0",
        "first call",
        "1.0e-07",
        "ok",
        "DeprecationWarning: old",
    ):
        assert said in text
    (setting,) = [line.split() for line in text.splitlines() if line.startswith("threads")]
    assert setting == ["threads", "1", "1"]


def test_it_fits_eighty_columns(tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]) -> None:
    long = "TORCHINDUCTOR_FORCE_DISABLE_CACHES"
    path = "/tmp/" + "a" * 60
    report = make_report(
        settings=({"name": long, "asked": path, "got": path},),
        samples_ns=tuple(range(100_000, 100_500)),
        noise=QUIET | dict.fromkeys(BY_SAMPLE, (1,) * 500),
        warmup=tuple((1, ns) for ns in range(2000, 1000, -1)),
        warnings=("Warning: " + "w" * 200,),
        phases=tuple(phase(name, 200, 1000, 900) for name in ("import", "first_call", "second_call")),
    )
    lines = shown(make_record(result=report), tmp_path / "log", width=80).splitlines()
    assert max(len(line) for line in lines if not line.startswith("End of the log ")) <= 80
    assert any("second call" in line for line in lines)


def test_the_samples_are_a_plot_in_which_the_disturbed_are_marked(
    tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    samples_ns = (100_000, 180_000, 110_000)
    noise = QUIET | {"cpu_ns": (100_000, 100_000, 110_000), "run_delay_ns": (0, 80_000, 0)}
    text = shown(make_record(result=make_report(samples_ns=samples_ns, noise=noise)), tmp_path / "log")
    assert "▁█▂ up to 1.800 × floor" in text
    assert "1 of 3 samples, the worst by 44.4% of its time" in text
    assert " ·×·" in text
    assert "DELAY: other processes ran on its cores" in text


def test_the_warm_up_is_a_plot_that_says_from_where_on_calls_were_steady(
    tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    laps = tuple((1, ns) for ns in (100_000, 10_000, *[1_000, 1_001, 999] * 19))
    text = " ".join(shown(make_record(result=make_report(warmup=laps)), tmp_path / "log").split())
    assert "steady from call 3 on; from the first call, 100 µs: █▅▁▁▁▁" in text
    assert "to 1.00 µs" in text


def test_what_was_asked_of_a_job_is_told_whole(tmp_path: Path, make_record: MakeRecord, make_spec: MakeSpec) -> None:
    spec = make_spec(hash_seed=77, padding_bytes=88, limits={"memory": "2GiB", "phases": {"compile": 60}})
    text = shown(make_record(spec=spec), tmp_path / "log")
    for said in (
        "environment current, cores 1",
        "block 1, position 0, attempt 1",
        "data 1, hashes 77, environment padded by 88 bytes",
        "100 samples of 1.00 ms, each of as many calls as fit",
        "warm-up of 250 ms to 3.00 s; at most 120 s in all",
        "memory 2.0 GiB, log 256 MiB, 4096 files, 512 processes",
        "compile 60 s",
        "0 during timing",
    ):
        assert said in text


def test_a_setting_that_is_not_as_asked_is_marked(
    tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    report = make_report(settings=({"name": "threads", "asked": "1", "got": "8"},))
    assert "NOT AS ASKED" in shown(make_record(outcome="unfair", result=report), tmp_path / "log")


def test_a_canary_slower_than_the_runs_raises_its_flag(tmp_path: Path, make_record: MakeRecord) -> None:
    assert "CANARY" in shown(make_record(), tmp_path / "log", canary_ns=8)
    assert "CANARY" not in shown(make_record(), tmp_path / "log", canary_ns=9)


def test_a_job_that_loaded_a_file_names_it(tmp_path: Path, make_record: MakeRecord) -> None:
    record = make_record()
    loading = record.spec.model_copy(update={"artefact": Artefact(path="/x/y.onnx", sha256="abc", size_bytes=7)})
    text = shown(record.model_copy(update={"spec": loading}), tmp_path / "log")
    assert "loaded from /x/y.onnx, 7 bytes, SHA-256 abc" in text


def test_a_wrong_tensor_is_marked(tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]) -> None:
    check = {"tensor": "loss", "inputs": "set 0", "error": None, "worst": None, "tolerance": 2e-6, "passed": False}
    report = make_report(verification={"checks": (check,), "reason": "off"})
    text = shown(make_record(outcome="wrong", result=report), tmp_path / "log")
    assert "not finite" in text
    assert "WRONG" in text


def test_a_job_without_a_report_shows_its_reason_its_advice_and_the_end_of_its_log(
    tmp_path: Path, make_record: MakeRecord
) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    text = shown(make_record(outcome="raised", advice="look here"), log)
    assert "raised: because it was raised" in text
    assert "look here" in text
    assert "line 99" in text
    assert "line 1\n" not in text


def test_a_log_cannot_command_the_terminal(tmp_path: Path, make_record: MakeRecord) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\x1b[31mred\x1b]0;owned\x07 \xff\x08 end\n")
    text = shown(make_record(outcome="raised"), log)
    assert "end" in text
    assert not {"\x1b", "\x07", "\x08"} & set(text)


def test_a_reason_cannot_command_the_terminal(tmp_path: Path, make_record: MakeRecord) -> None:
    assert "\x1b" not in shown(make_record(outcome="raised", reason="\x1b[31mred"), tmp_path / "log")


def test_an_enormous_line_in_a_log_is_cut(tmp_path: Path, make_record: MakeRecord) -> None:
    log = tmp_path / "log"
    log.write_text("x" * 1_000_000)
    assert len(shown(make_record(outcome="raised"), log)) < 100_000


def test_a_job_that_was_never_started_has_no_log_and_is_shown(tmp_path: Path, make_record: MakeRecord) -> None:
    text = shown(make_record(outcome="unsupported", outside=None), tmp_path / "nothing")
    assert "unsupported: because it was unsupported" in text
    assert "supervisor" not in text


def test_a_job_of_a_users_workload_says_where_its_code_was_and_what_it_was_held_to(
    tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    check = {"tensor": "loss", "inputs": "set 0", "error": 1e-7, "worst": 1e-7, "tolerance": 2e-6, "passed": True}
    record = make_record(result=make_report(verification={"checks": (check,), "referee": "torch"}))
    given = Artefact(path="/x/y.npz", sha256="abc", size_bytes=7)
    cell = record.spec.cell.model_copy(update={"code": "0123456789abcdef"})
    spec = record.spec.model_copy(update={"cell": cell, "source_dir": "/mine", "reference": "torch", "expected": given})
    text = shown(record.model_copy(update={"spec": spec}), tmp_path / "log")
    assert "workload /mine, code 0123456789abcdef" in text
    assert "reference torch /x/y.npz, 7 bytes, SHA-256 abc" in text
    assert "Verified against torch:eager in float64" in text


def test_each_phase_tells_what_its_time_was_spent_on_and_fits_eighty_columns(
    tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    counted = {"cpu_ns": 9 * 10**8, "main_cpu_ns": 6 * 10**8, "waiting_ns": 2 * 10**8, "io_ns": 10**7}
    costs = (
        {"name": "import", "wall_ns": 10**9, "stopped_ns": 180 * 10**9} | counted,
        {"name": "second_call", "wall_ns": 10**9, "stopped_ns": 0} | counted,
    )
    text = shown(make_record(result=make_report(phases=costs)), tmp_path / "log", width=80)
    rows = {
        line.split()[0]: line.split() for line in text.splitlines() if line.startswith(("phase", "import", "second"))
    }
    assert rows["phase"] == ["phase", "wall", "CPU", "waiting", "I/O", "asleep", "stopped"]
    assert rows["import"] == ["import", "1.00", "s", "900", "ms", "200", "ms", "10.0", "ms", "190", "ms", "180", "s"]
    assert rows["second"] == ["second", "call", "1.00", "s", "900", "ms", "200", "ms", "10.0", "ms", "190", "ms"]
