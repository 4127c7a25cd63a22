import io
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from orchestrator.report import job
from schemas.artefact import Artefact
from schemas.event import Report
from schemas.record import JobRecord

MakeRecord = Callable[..., JobRecord]


def shown(record: JobRecord, log: Path) -> str:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    job.show(console, record, log)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_measured_job_is_told_from_its_question_to_its_times(
    tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    report = make_report(
        5000,
        settings=({"name": "threads", "asked": "1", "got": "1"},),
        verification={"checks": ({"tensor": "loss", "inputs": "set 0", "error": 1e-7, "worst": 1e-7,
                                  "tolerance": 2e-6, "passed": True},)},
        warnings=("DeprecationWarning: old",),
    )  # fmt: skip
    text = shown(make_record(report=report), tmp_path / "log")
    for said in (
        "001-numpy-eager-mlp", "measured", "batch 1, float32", "2.00 s from spawn", "floor 5.00 µs",
        "3 of 100 calls", "numpy 2.0", "threads: asked 1, got 1", "first call", "1.0e-07", "ok",
        "DeprecationWarning: old",
    ):  # fmt: skip
        assert said in text


def test_a_job_that_loaded_a_file_names_it(tmp_path: Path, make_record: MakeRecord) -> None:
    record = make_record()
    loading = record.spec.model_copy(update={"artefact": Artefact(path="/x/y.onnx", sha256="abc", size_bytes=7)})
    text = shown(record.model_copy(update={"spec": loading}), tmp_path / "log")
    assert "loaded from  /x/y.onnx, 7 bytes, SHA-256 abc" in text


def test_a_wrong_tensor_is_marked(tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]) -> None:
    check = {"tensor": "loss", "inputs": "set 0", "error": None, "worst": None, "tolerance": 2e-6, "passed": False}
    report = make_report(verification={"checks": (check,), "reason": "off"})
    text = shown(make_record(outcome="wrong", report=report), tmp_path / "log")
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
    assert "from outside" not in text


def test_a_job_of_a_users_workload_says_where_its_code_was_and_what_it_was_held_to(
    tmp_path: Path, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    check = {"tensor": "loss", "inputs": "set 0", "error": 1e-7, "worst": 1e-7, "tolerance": 2e-6, "passed": True}
    record = make_record(report=make_report(verification={"checks": (check,), "referee": "torch"}))
    given = Artefact(path="/x/y.npz", sha256="abc", size_bytes=7)
    cell = record.spec.cell.model_copy(update={"code": "0123456789abcdef"})
    spec = record.spec.model_copy(update={"cell": cell, "folder": "/mine", "reference": "torch", "expected": given})
    text = shown(record.model_copy(update={"spec": spec}), tmp_path / "log")
    assert "workload  /mine, code 0123456789abcdef" in text
    assert "held to torch  /x/y.npz, 7 bytes, SHA-256 abc" in text
    assert "held to torch:eager in float64" in text
