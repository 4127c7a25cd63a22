import io
import json
from collections.abc import Callable, Sequence

from rich.console import Console

from orchestrator.report.job.rerun import build_rerun_document, show_rerun
from schemas.event import Report
from schemas.record import JobRecord
from tests.orchestrator.conftest import HOST

MakeRecord = Callable[..., JobRecord]


def drawn(then: JobRecord, now: JobRecord, others: Sequence[JobRecord]) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    show_rerun(console, then, now, others)
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_figures_stand_side_by_side_and_the_new_floor_among_those_of_the_run(make_record: MakeRecord) -> None:
    others = [make_record(call_ns=call_ns, block=block) for block, call_ns in enumerate((990, 1000, 1020), 1)]
    said = drawn(others[0], make_record(call_ns=1010), others)
    assert "floor 990 ns 1.01 µs 1.020" in said
    assert "1.010 times the median of this cell's 3 processes in the run, which range from 0.990 to 1.020" in said
    assert "it is within that range" in said
    assert "Changed since" not in said


def test_a_floor_outside_them_is_called_so(make_record: MakeRecord) -> None:
    others = [make_record(call_ns=1000, block=block) for block in (1, 2)]
    assert "it is above all of them" in drawn(others[0], make_record(call_ns=1100), others)
    assert "it is below all of them" in drawn(others[0], make_record(call_ns=900), others)


def test_a_job_that_fails_now_has_its_reason_and_no_figures(
    make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    said = drawn(make_record(), make_record(outcome="wrong"), [make_record()])
    assert "outcome measured wrong" in said
    assert "Now it ended as wrong: because it was wrong" in said
    assert "floor" not in said


def test_another_machine_is_named(make_record: MakeRecord) -> None:
    other = HOST.model_copy(update={"cpu": "another CPU"})
    said = drawn(make_record(), make_record(host=other.model_dump()), [make_record()])
    assert "Changed since then: cpu a CPU is now another CPU." in said


def test_the_document_has_both_records(make_record: MakeRecord) -> None:
    said = json.loads(json.dumps(build_rerun_document(make_record(call_ns=1000), make_record(call_ns=2000))))
    assert [JobRecord.model_validate(said[name]).report is not None for name in ("then", "now")] == [True, True]
