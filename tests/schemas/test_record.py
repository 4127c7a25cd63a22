import json
import re
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from schemas.artefact import Artefact
from schemas.event import Exported, Profiled, Report, TensorCheck, Verification
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


def test_the_record_of_a_profile_comes_back_from_json_as_it_was() -> None:
    spec = JobSpec(cell=CELL, block=1, position=0, seed=1, cpus=(), variables={}, purpose=Profile(path="/x/y.json"))
    trace = Artefact(path="/x/y.json", sha256="ab", size_bytes=3)
    profile = JobRecord(
        spec=spec,
        outcome="profiled",
        host=HOST,
        result=Profiled(trace=trace, calls=10, counts={"kernels": 2.5}, versions={"torch": "2"}, phases=()),
        outside=JobObservation(started="now", spawn_to_end_ns=1, exit_status=0, last_phase="profile", load_before=0.1),
    )
    assert JobRecord.model_validate_json(profile.model_dump_json()) == profile


NEUTRAL: dict[str, object] = {
    "memory_bytes": 2 << 30,
    "memory_limit_bytes": 1 << 30,
    "swap_bytes": 5,
    "packages": {"pydantic": "9"},
    "installed": {"pydantic": "ff"},
}
FELT: dict[str, object] = {
    "cpu": "another CPU",
    "cores": 3,
    "python": "3.12",
    "system": "Darwin",
    "variables": {},
    "packages": {"numpy": "2.0"},
    "installed": {"numpy": "ff"},
    "microcode": "0x2b",
    "kernel": "6.2",
    "governor": "powersave",
    "turbo": True,
    "hypervisor": "kvm",
    "cpu_quota": 1.5,
    "smt": True,
    "l3_bytes": 1 << 20,
    "gpus": ("NVIDIA H100",),
}


@pytest.mark.parametrize("name", sorted(FELT))
def test_what_a_time_depends_on_changes_the_hash_of_a_host(name: str) -> None:
    assert HOST.model_copy(update={name: FELT[name]}).content_hash != HOST.content_hash


def test_memory_sizes_and_the_packages_of_messages_do_not_change_the_hash_of_a_host() -> None:
    plain = HOST.model_copy(update={"packages": {"pydantic": "2"}, "installed": {"pydantic": "00"}})
    for name, value in NEUTRAL.items():
        assert plain.model_copy(update={name: value}).content_hash == plain.content_hash, name


def test_a_field_that_an_older_version_did_not_know_leaves_its_hash_as_it_was() -> None:
    known = json.loads(HOST.model_dump_json(exclude_none=True))
    assert Host.model_validate(known).content_hash == HOST.content_hash
    assert Host.model_validate(known | {"governor": None}).content_hash == HOST.content_hash


def test_a_hash_of_a_host_is_eight_hexadecimal_digits() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}", HOST.content_hash)


@pytest.mark.parametrize(
    "change",
    [
        {"cores": 0},
        {"memory_bytes": 0},
        {"cpu_quota": 0},
        {"cpu_quota": "none"},
        {"cgroup": "v3"},
        {"affinity": (-1,)},
        {"swap_bytes": -1},
        {"name": "localhost"},
    ],
)
def test_a_machine_that_cannot_exist_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Host.model_validate(HOST.model_dump() | change)


@pytest.mark.parametrize("change", [{"spawn_to_end_ns": -1}, {"looks": -1}, {"last_phase": "lunch"}, {"load": 1}])
def test_an_observation_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    plain = {"started": "now", "spawn_to_end_ns": 1, "exit_status": 0, "last_phase": None, "load_before": 0.0}
    with pytest.raises(ValidationError):
        JobObservation.model_validate(plain | change)


def test_a_manifest_says_that_a_run_has_begun_until_it_says_more() -> None:
    manifest = Manifest(name="n", started="now", command=(), sweep=SweepSpec(), seed=0, cells=(), host=HOST)
    assert (manifest.stopped, manifest.finished, manifest.mixed, manifest.identity) == ("", False, (), None)
