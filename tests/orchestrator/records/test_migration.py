"""A run in the form of schema version 1, as it was written then; only the description of its machine is shortened."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.machine import fingerprint
from orchestrator.records.migration import upgrade_record
from orchestrator.records.store import Store, read_record
from schemas.base import SCHEMA_VERSION
from schemas.event import Exported, Profiled
from tests.orchestrator.conftest import Said

WRITTEN = Path(__file__).with_name("version_1")
JOBS = sorted(WRITTEN.glob("jobs/*.json"))
SIDE = sorted([*WRITTEN.glob("artefacts/*.json"), *WRITTEN.glob("profiles/*.json")])
NAME = "20250101-120000-version-1"

Inside = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path) -> Store:
    return Store(Path(shutil.copytree(WRITTEN, tmp_path / "runs" / NAME)))


def mend_versions(document: object) -> object:
    """Raise the version of a document and of all in it."""
    if isinstance(document, dict):
        found = {name: mend_versions(value) for name, value in document.items()}
        return found | ({"schema_version": SCHEMA_VERSION} if "schema_version" in document else {})
    return [mend_versions(value) for value in document] if isinstance(document, list) else document


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_measured_job_of_version_1_keeps_every_measurement(path: Path) -> None:
    before = mend_versions(json.loads(path.read_text()))
    after = read_record(path).model_dump(mode="json", exclude_unset=True)
    assert isinstance(before, dict)
    assert after.pop("result") == before.pop("report")
    assert after["spec"].pop("purpose") == {"kind": "measure"}
    assert [before["spec"].pop(name) for name in ("export", "profile", "expect")] == [""] * 3
    assert after["spec"].pop("source_dir") == before["spec"].pop("folder")
    assert after == before


def test_side_jobs_of_version_1_keep_their_purpose_and_their_result(run: Store) -> None:
    (exported,) = run.read_artefact_records()
    assert (exported.outcome, exported.spec.purpose.kind) == ("exported", "export")
    assert isinstance(exported.result, Exported)
    assert Path(exported.result.artefact.path).parent == run.folder.resolve() / "artefacts"
    refused, profiled = run.read_profiles()
    assert (refused.outcome, refused.spec.purpose.kind, refused.result) == ("unsupported", "profile", None)
    assert isinstance(profiled.result, Profiled)
    assert profiled.result.counts == {"kernels": 1.0}


def test_a_job_of_version_1_that_computed_expected_results_still_says_so(tmp_path: Path) -> None:
    (path,) = WRITTEN.glob("artefacts/*.json")
    document = json.loads(path.read_text())
    document["spec"] |= {"export": "", "expect": "/x.npz"}
    record = tmp_path / "artefacts" / "record.json"
    record.parent.mkdir()
    record.write_text(json.dumps(document))
    assert read_record(record).spec.purpose.kind == "reference"


@pytest.mark.parametrize(
    "command",
    [
        ("show", NAME),
        ("show", NAME, "--json"),
        ("show", NAME, "001-numpy"),
        ("report", NAME, "--output", "page.html"),
        ("compare", NAME, "another"),
        ("export", NAME, "--format", "csv"),
        ("export", NAME, "--format", "jsonl", "--per", "sample"),
    ],
    ids=" ".join,
)
def test_a_run_of_version_1_can_be_read_by_every_command(inside: Inside, run: Store, command: tuple[str, ...]) -> None:
    shutil.copytree(WRITTEN, run.folder.with_name("another"))
    said = inside(*command)
    assert (said.code, said.err) == (0, "")


def test_a_run_of_version_1_is_not_resumed_and_stays_as_it_is(
    inside: Inside, run: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "take_fingerprint", lambda: run.read_manifest().host)
    said = inside("resume", NAME)
    assert said.code == 2
    assert "the source of workers/ or schemas/ has changed" in said.err
    assert "begin a new run" in said.err
    for path in WRITTEN.rglob("*.json"):
        assert (run.folder / path.relative_to(WRITTEN)).read_bytes() == path.read_bytes()


def test_a_record_of_version_1_with_a_mistake_is_refused_with_its_place(tmp_path: Path) -> None:
    document = json.loads(JOBS[0].read_text())
    document["report"]["calls"] = 0
    path = tmp_path / "jobs" / "record.json"
    path.parent.mkdir()
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"record.json is not a file of this version: result.report.calls: "):
        read_record(path)


@pytest.mark.parametrize("path", [*JOBS, *SIDE], ids=lambda path: path.stem)
def test_a_record_of_this_version_is_left_alone(path: Path) -> None:
    assert upgrade_record(read_record(path).model_dump_json().encode()) is None


@given(
    st.binary()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.dictionaries(
                st.sampled_from(["schema_version", "spec", "report", "export", "expect"]) | st.text(), inner
            )
            | st.lists(inner)
        ),
    ).map(lambda document: json.dumps(document).encode())
)
def test_whatever_a_file_holds_is_converted_or_left_alone(content: bytes) -> None:
    found = upgrade_record(content)
    assert found is None or {"spec", "result"} <= found.keys()
