"""`share` measures the blocks of a request as the sweep itself would, once, and hands them over whole."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.execution.shares.stream_reader import StreamReader
from orchestrator.machine.affinity import list_cores
from orchestrator.planning.plan import Plan, build_plan
from orchestrator.records.provenance import SOURCE, hash_code, make_identity
from orchestrator.records.share_store import ShareStore
from schemas.record import Extension, Identity, JobRecord
from schemas.share import Lease, ShareSpec
from schemas.sweep import SweepSpec
from tests.orchestrator.conftest import Said
from tests.orchestrator.quick import PROGRAM

QUICK = {
    "axes": {"frameworks": ["numpy"], "workloads": ["synthetic"], "environment": ["current"]},
    "timing": {"samples": 5, "calls": 200, "sample_ns": 1_000_000, "warmup_min_ns": 1_000_000},
    "stop": {"blocks": 9},
    "seed": 7,
}


@pytest.fixture(scope="module")
def planned() -> Plan:
    return build_plan(SweepSpec.model_validate(QUICK), list_cores())


def a_request(planned: Plan, folder: Path | None, **changes: object) -> ShareSpec:
    stop = planned.spec.stop
    plain: dict[str, Any] = {
        "run": "mine",
        "share": 2,
        "attempt": 1,
        "first": 4,
        "last": 5,
        "sweep": planned.spec,
        "seed": planned.seed,
        "extensions": [Extension(when="2025-01-01T00:00:00+00:00", stop=stop, blocks=0, least_blocks=stop.blocks)],
        "identity": make_identity(planned.spec, planned.seed, planned.cells),
        "cloned": planned.cells[0].id,
        "folder": str(folder or ""),
    }
    return ShareSpec.model_validate(plain | changes)


def open_folder(tmp_path: Path) -> ShareStore:
    store = ShareStore(tmp_path / "shares" / "2-1")
    store.make_folders()
    return store


@contextmanager
def start_share(spec: ShareSpec, folder: Path, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        (folder / "out").open("wb") as out,
        (folder / "errors").open("wb") as errors,
        subprocess.Popen(
            [*PROGRAM, "share", "--node", "n7"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=errors,
            env=dict(os.environ) | variables,
        ) as program,
    ):
        assert program.stdin is not None
        program.stdin.write(spec.model_dump_json().encode() + b"\n")
        program.stdin.flush()
        try:
            yield program
        finally:
            program.kill()


def run_share(spec: ShareSpec, folder: Path, **variables: str) -> int:
    with start_share(spec, folder, **variables) as program:
        return program.wait(120)


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"{path} does not come"
        time.sleep(0.02)


def read_records(store: ShareStore) -> list[JobRecord]:
    return store.run.read_records()


@pytest.mark.long
def test_blocks_are_measured_as_the_sweep_itself_would(tmp_path: Path, planned: Plan) -> None:
    store = open_folder(tmp_path)
    assert run_share(a_request(planned, store.folder), tmp_path, OMP_NUM_THREADS="7", SLURM_JOB_ID="3") == 0
    records = read_records(store)
    assert [record.spec.block for record in records] == [4, 4, 5, 5]
    for block in (4, 5):
        order = [cell.id for cell in planned.order_cells(planned.runnable, block)]
        found = [record for record in records if record.spec.block == block]
        assert [record.spec.cell.id for record in found] == order
        for record in found:
            due = planned.build_job(record.spec.cell, block, record.spec.position)
            same = ("seed", "hash_seed", "padding_bytes", "start", "thorough", "timing", "deadline_s", "position")
            assert [getattr(record.spec, name) for name in same[:5]] == [getattr(due, name) for name in same[:5]]
    assert {record.outcome for record in records} <= {"measured", "nonlinear", "overhead-dominated"}
    placements = {record.placement for record in records}
    assert [(each.node, each.share, each.attempt) for each in placements if each] == [("n7", 2, 1)]
    assert {tuple(record.host.variables) for record in records} == {()}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, planned: Plan) -> ShareStore:
    """The folder of a share that has ended as it should."""
    folder = tmp_path_factory.mktemp("shared")
    store = open_folder(folder)
    assert run_share(a_request(planned, store.folder, first=1, last=1), folder) == 0
    return store


@pytest.mark.long
def test_each_block_is_closed_with_the_hashes_of_its_records(shared: ShareStore) -> None:
    closed, end = shared.read_closed(1), shared.read_end()
    assert closed is not None
    assert end is not None
    assert closed == shared.hash_block(1, read_records(shared))
    assert (end.how, end.reason) == ("finished", "all 1 blocks were run")


@pytest.mark.long
def test_the_folder_is_that_of_a_run_like_any_other(shared: ShareStore) -> None:
    shown = subprocess.run(
        [*PROGRAM, "show", str(shared.folder), "--json"], capture_output=True, text=True, timeout=60, check=True
    )
    manifest = json.loads(shown.stdout)["manifest"]
    assert (manifest["finished"], manifest["command"]) == (True, ["share"])
    assert "current" in manifest["environments"]


def test_an_attempt_that_has_begun_is_not_begun_again(shared: ShareStore, planned: Plan, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in shared.folder.rglob("*.json")}
    assert run_share(a_request(planned, shared.folder, first=1, last=1), tmp_path) == ExitCode.USAGE
    said = (tmp_path / "errors").read_text()
    assert said.startswith("error: attempt 1 at share 2 has begun before or was withdrawn; `resume` on the head hands")
    assert {path: path.read_bytes() for path in shared.folder.rglob("*.json")} == before


def test_an_attempt_that_was_withdrawn_does_not_begin(planned: Plan, tmp_path: Path) -> None:
    store = open_folder(tmp_path)
    store.withdraw_attempt()
    assert run_share(a_request(planned, store.folder), tmp_path) == ExitCode.USAGE
    assert store.read_lease() == Lease(withdrawn=True)
    assert read_records(store) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"identity": Identity(sweep="s", code="c")}, "is not that of the head; install the same version"),
        ({"identity": Identity(sweep="s", code=hash_code(SOURCE))}, "the sweep yields other cells on this node"),
        ({"gpus": 64}, "GPUs, and its share asks for 64; ask for fewer"),
    ],
)
def test_what_differs_from_the_head_is_said_and_nothing_is_measured(
    planned: Plan, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    store = open_folder(tmp_path)
    assert run_share(a_request(planned, store.folder, **changes), tmp_path) == ExitCode.USAGE
    end = store.read_end()
    assert end is not None
    assert (end.how, said in end.reason) == ("failed", True)
    assert said in (tmp_path / "errors").read_text()
    assert read_records(store) == []


@pytest.mark.long
def test_a_clone_is_that_of_the_head_whichever_cell_can_run_first(tmp_path: Path, planned: Plan) -> None:
    both = {**QUICK, "axes": {**QUICK["axes"], "frameworks": ["synthetic:spin", "numpy"]}}  # type: ignore[dict-item]
    elsewhere = build_plan(SweepSpec.model_validate(both), list_cores(), is_elsewhere=True)
    other = elsewhere.cells[1]
    cells = (*elsewhere.cells[:-1], other.model_copy(update={"replica": 1}))
    store = open_folder(tmp_path)
    spec = a_request(
        elsewhere,
        store.folder,
        first=2,
        last=2,
        cloned=other.id,
        identity=make_identity(elsewhere.spec, elsewhere.seed, cells),
    )
    assert run_share(spec, tmp_path) == 0
    assert {record.spec.cell.id for record in read_records(store)} == {cell.id for cell in cells}


@pytest.mark.long
def test_a_signal_keeps_the_blocks_that_are_closed(planned: Plan, tmp_path: Path) -> None:
    store = open_folder(tmp_path)
    with start_share(a_request(planned, store.folder, first=2, last=9), tmp_path) as program:
        wait_for(store.folder / "closed" / "2.json")
        program.send_signal(signal.SIGTERM)
        assert program.wait(60) == ExitCode.INTERRUPTED
    end = store.read_end()
    assert end is not None
    assert (end.how, end.reason) == ("interrupted", "stopped by SIGTERM")
    assert store.read_closed(2) is not None
    assert store.read_closed(9) is None


@pytest.mark.long
def test_a_stream_ends_with_its_head(planned: Plan, tmp_path: Path) -> None:
    with start_share(a_request(planned, None, first=2, last=9), tmp_path) as program:
        until = time.monotonic() + 60
        while b'"closed/2.json"' not in (tmp_path / "out").read_bytes() and time.monotonic() < until:
            time.sleep(0.05)
        assert program.stdin is not None
        program.stdin.close()
        assert program.wait(60) == ExitCode.INTERRUPTED
    store = open_folder(tmp_path)
    (tmp_path / "out").rename(store.stream_path)
    StreamReader(store, 1 << 30).read_available()
    end = store.read_end()
    assert end is not None
    assert end.how == "interrupted"
    assert {record.spec.block for record in read_records(store)} >= {2}
    closed = store.read_closed(2)
    assert closed is not None
    assert closed == store.hash_block(2, [each for each in read_records(store) if each.spec.block == 2])


@pytest.mark.parametrize("line", ["", "hello\n", "{}\n", '{"schema_version": 99}\n'])
def test_input_that_is_no_request_is_refused_in_one_sentence(tmp_path: Path, line: str) -> None:
    done = subprocess.run(
        [*PROGRAM, "share"], cwd=tmp_path, input=line, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr.startswith("error: standard input has no request for a share of this version, but ")
    assert len(done.stderr.splitlines()) == 1
    assert [*tmp_path.iterdir()] == []


def test_the_command_is_not_among_those_for_people(inside: Callable[..., Said]) -> None:
    assert " share " not in inside("-h").out
    assert "standard input" in inside("share", "-h").out
