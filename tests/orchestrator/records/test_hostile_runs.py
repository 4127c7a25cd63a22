"""Sweep files, run folders and workers of other people are data, whatever they contain."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.cli.commands import show
from orchestrator.cli.results import OutputForms
from orchestrator.errors import UsageError
from orchestrator.execution.event_stream import EventReader, Garbled
from orchestrator.planning import sweep_file
from orchestrator.records import store
from orchestrator.records.store import Store
from orchestrator.report.job import terminal
from schemas.base import Model
from schemas.event import Report
from schemas.record import Host, JobRecord, Manifest
from schemas.sweep import SweepSpec

EVIL = "\x1b]0;owned\x07\x1b[31m\x9b31m\u202e[link=file:///etc]x[/link]\r"
EXTREMES = [(1 << 63) - 1, 1 << 63, -1, 0, 1, 10**400, 1.7e308, 5e-324, "", EVIL]
PROGRAM = [sys.executable, "-m", "orchestrator"]
quickly = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

MakeRecord = Callable[..., JobRecord]
Json = Any

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def run(tmp_path: Path, make_record: MakeRecord, host: Host) -> Store:
    """Make a run of one job."""
    folder, record = store.create_run(tmp_path / "runs", "x", datetime(2025, 1, 1, tzinfo=UTC)), make_record()
    folder.write_record(record)
    folder.write_manifest(
        Manifest(
            name="x",
            started="",
            command=("a",),
            sweep=SweepSpec(),
            seed=1,
            cells=(record.spec.cell,),
            host=host,
            stopped="y",
            warnings=("w",),
            mixed=("m",),
        )
    )
    folder.log_path(record.spec).write_text(f"{EVIL}\n")
    return folder


def poisoned(value: Json, poison: object, at: int) -> tuple[Json, int]:
    """Replace one leaf of a document; return it, and how many leaves are left to count."""
    if isinstance(value, dict):
        items = []
        for key, each in value.items():
            changed, at = poisoned(each, poison, at)
            items.append((key, changed))
        return dict(items), at
    if isinstance(value, list):
        changed_list = []
        for each in value:
            changed, at = poisoned(each, poison, at)
            changed_list.append(changed)
        return changed_list, at
    return (poison if at == 0 else value), at - 1


def leaves(value: Json) -> Iterator[object]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    else:
        yield value


def shown(run: Store, *, as_json: bool) -> str:
    """Return everything that `show` prints about a run and its jobs."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        for details in (False, True):
            show.show_run(
                run.folder.parent, str(run.folder), None, OutputForms(page=False, as_json=as_json, details=details)
            )
        for record in run.read_records():
            show.show_run(
                run.folder.parent,
                str(run.folder),
                store.job_name(record.spec),
                OutputForms(page=False, as_json=as_json, details=False),
            )
    return out.getvalue()


def accepted(kind: type[Model], said: Json) -> Json:
    """Poison the document leaf by leaf, where a schema accepts that."""
    for at, leaf in enumerate(list(leaves(said))):
        if isinstance(leaf, str):
            worse, _ = poisoned(said, f"{leaf}{EVIL}", at)
            try:
                kind.model_validate_json(json.dumps(worse))
            except ValueError:
                continue
            said = worse
    return said


@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_that_a_terminal_obeys_reaches_it_from_a_run(
    run: Store, make_report: Callable[..., Report], make_record: MakeRecord, as_json: bool
) -> None:
    report = make_report(
        warnings=["w"],
        build_info="b",
        settings=[{"name": "n", "asked": "1", "got": "1"}],
        verification={
            "reason": "",
            "checks": [{"tensor": "t", "inputs": "i", "error": 0, "worst": 0, "tolerance": 1, "passed": True}],
        },
    )
    plain = make_record(outcome="wrong", result=report, advice="a", reason="r")
    said = accepted(JobRecord, json.loads(plain.model_dump_json()))
    for name in ("framework", "mode", "workload"):  # a file's name is made of these
        said["spec"]["cell"][name] = getattr(plain.spec.cell, name)
    (path,) = run.jobs_folder.glob("*.json")
    path.write_text(json.dumps(said))
    manifest = run.folder / "manifest.json"
    whole = accepted(Manifest, json.loads(manifest.read_text()))
    whole["cells"] = [said["spec"]["cell"]]
    manifest.write_text(json.dumps(whole))
    text = shown(run, as_json=as_json)
    assert "owned" in text
    assert not [character for character in text if not character.isprintable() and character not in "\n\t"]


@pytest.mark.long
def test_a_mistake_that_quotes_hostile_names_says_them_harmlessly(tmp_path: Path) -> None:
    (tmp_path / "runs" / EVIL.replace("/", "")).mkdir(parents=True)
    (tmp_path / "runs" / EVIL.replace("/", "") / "manifest.json").touch()
    (tmp_path / EVIL.replace("/", "")).write_text("nmae = 1")
    for arguments in (["show", "nobody"], ["show"], ["plan", EVIL.replace("/", "")]):
        said = subprocess.run([*PROGRAM, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert said.returncode == 2
        assert "owned" in said.stderr
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*said.stderr}


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "..", "a/b", "a\x00b", "a" * 300, "", "-x"])
def test_no_name_in_a_record_leads_out_of_its_run(run: Store, make_record: MakeRecord, name: str) -> None:
    record = make_record()
    spec = record.spec.model_copy(update={"cell": record.spec.cell.model_copy(update={"workload": f"{name}/../x"})})
    with pytest.raises(UsageError, match="is not a valid job name"):
        run.log_path(spec)


@pytest.mark.parametrize("place", ["record", "log", "jobs", "part"])
def test_no_link_in_a_run_is_followed(run: Store, tmp_path: Path, make_record: MakeRecord, place: str) -> None:
    secret, record = tmp_path / "secret", make_record()
    secret.write_text("the secret")
    (path,) = run.jobs_folder.glob("*.json")
    log = run.log_path(record.spec)
    match place:
        case "record":
            path.unlink()
            path.symlink_to(secret)
            with pytest.raises(UsageError, match="symbolic links"):
                run.read_records()
        case "log":
            log.unlink()
            log.symlink_to(secret)
            assert terminal.read_log_tail(log) == []
        case "jobs":
            run.jobs_folder.rename(tmp_path / "elsewhere")
            run.jobs_folder.symlink_to(tmp_path / "elsewhere")
            with pytest.raises(UsageError, match="is a symbolic link"):
                run.read_records()
        case "part":
            path.with_name(f".{path.name}.00000000.part").symlink_to(secret)
            run.write_record(record)
    assert secret.read_text() == "the secret"


@pytest.mark.timeout(20)
def test_a_pipe_or_a_device_in_place_of_a_record_is_refused_and_not_waited_for(run: Store) -> None:
    (path,) = run.jobs_folder.glob("*.json")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UsageError, match="not a regular file"):
        run.read_records()


def test_a_record_of_any_size_is_read_within_bounds(run: Store) -> None:
    (path,) = run.jobs_folder.glob("*.json")
    os.truncate(path, 1 << 40)
    with pytest.raises(UsageError, match="larger than 64 MiB"):
        run.read_records()


@quickly
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_a_sweep_file_is_one_or_a_mistake(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.toml").write_bytes(content)
    with contextlib.suppress(UsageError):
        assert isinstance(sweep_file.load_sweep_file(tmp_path / "x.toml"), dict)


@quickly
@given(st.dictionaries(st.sampled_from([*SweepSpec.model_fields]), anything))
def test_what_a_sweep_file_says_is_a_sweep_or_a_mistake(said: dict[str, Any]) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(sweep_file.validate_sweep(said), SweepSpec)


@quickly
@given(st.lists(st.binary(max_size=60) | anything.map(lambda said: json.dumps(said).encode()), max_size=4))
def test_what_a_worker_says_is_events_or_garbled(lines: list[bytes]) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        os.write(writer, b"\n".join(lines) + b"\n")
        with contextlib.suppress(Garbled):
            assert all(isinstance(event, Model) for event in EventReader(reader).read())
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.long
@quickly
@given(st.integers(min_value=0, max_value=150), anything | st.sampled_from(EXTREMES))
def test_a_record_with_any_value_anywhere_is_shown_or_refused(
    run: Store, make_record: MakeRecord, at: int, poison: object
) -> None:
    (path,) = run.jobs_folder.glob("*.json")
    before = path.read_text()
    worse, _ = poisoned(json.loads(before), poison, at)
    path.write_text(json.dumps(worse))
    try:
        with contextlib.suppress(UsageError):
            assert shown(run, as_json=False)
        with contextlib.suppress(UsageError):
            assert shown(run, as_json=True)
    finally:
        path.write_text(before)
        for log in run.jobs_folder.glob("*.log"):
            log.touch()


@quickly
@given(st.integers(min_value=0, max_value=90), anything | st.sampled_from(EXTREMES))
def test_a_manifest_with_any_value_anywhere_is_shown_or_refused(run: Store, at: int, poison: object) -> None:
    path = run.folder / "manifest.json"
    before = path.read_text()
    worse, _ = poisoned(json.loads(before), poison, at)
    path.write_text(json.dumps(worse))
    try:
        with contextlib.suppress(UsageError):
            assert shown(run, as_json=True)
    finally:
        path.write_text(before)
