from collections.abc import Callable

import pytest
from pydantic import ValidationError

from schemas.artefact import Artefact
from schemas.event import Exported, Report, TensorCheck, Verification
from schemas.job import Cell, Export, JobSpec, Measure, Profile, Purpose
from schemas.record import Host, JobObservation, JobRecord, Manifest, Outcome
from schemas.sweep import SweepSpec

CELL = Cell(framework="numpy", mode="eager", workload="mlp", parameters={"depth": 3})
EXPORTED = Exported(artefact=Artefact(path="/x/y.onnx", sha256="ab", size_bytes=3), versions={}, settings=(), phases=())
HOST = Host(cpu="a CPU", cores=2, memory_bytes=1 << 30, system="Linux", python="3.11", variables={"LD_PRELOAD": "x"})


def test_a_record_comes_back_from_json_as_it_was(make_report: Callable[..., Report]) -> None:
    check = TensorCheck(tensor="loss", inputs="set 0", error=None, worst=0.1, tolerance=2e-6, passed=False)
    record = JobRecord(
        spec=JobSpec(cell=CELL, block=1, position=0, seed=1, cpus=(), variables={}),
        outcome="wrong",
        reason="not finite",
        advice="look",
        host=HOST,
        result=make_report(verification=Verification(checks=(check,), reason="not finite"), warnings=("µ",)),
        outside=JobObservation(started="now", spawn_to_end_ns=1, exit_status=-9, last_phase="verify", load_before=0.1),
    )
    assert JobRecord.model_validate_json(record.model_dump_json()) == record


def test_the_record_of_an_export_comes_back_from_json_as_it_was() -> None:
    spec = JobSpec(cell=CELL, block=1, position=0, seed=1, cpus=(), variables={}, purpose=Export(path="/x/y.onnx"))
    export = JobRecord(
        spec=spec,
        outcome="exported",
        host=HOST,
        result=EXPORTED,
        outside=JobObservation(started="now", spawn_to_end_ns=1, exit_status=0, last_phase="export", load_before=0.1),
    )
    assert JobRecord.model_validate_json(export.model_dump_json()) == export


@pytest.mark.parametrize(
    ("purpose", "outcome", "result", "complaint"),
    [
        (Measure(), "measured", None, "a job of the purpose measure is not measured with nothing"),
        (Measure(), "exported", None, "a job of the purpose measure is not exported with nothing"),
        (Measure(), "raised", EXPORTED, "a job of the purpose measure cannot result in exported"),
        (Export(path="/x"), "measured", EXPORTED, "a job of the purpose export is not measured with exported"),
        (Export(path="/x"), "exported", None, "a job of the purpose export is not exported with nothing"),
        (Profile(path="/x"), "profiled", EXPORTED, "a job of the purpose profile cannot result in exported"),
    ],
)
def test_purpose_outcome_and_result_of_a_record_fit(
    purpose: Purpose, outcome: Outcome, result: Exported | None, complaint: str
) -> None:
    spec = JobSpec(cell=CELL, purpose=purpose, block=1, position=0, seed=1, cpus=(), variables={})
    with pytest.raises(ValidationError, match=complaint):
        JobRecord(spec=spec, outcome=outcome, result=result, host=HOST)


def test_a_manifest_comes_back_from_json_as_it_was() -> None:
    manifest = Manifest(
        name="n", started="now", command=("sweep",), sweep=SweepSpec(), seed=2**40, cells=(CELL,), host=HOST
    )
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
