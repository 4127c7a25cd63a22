"""The start and the end of a server."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.machine.affinity import list_cores
from orchestrator.records.store import Store
from orchestrator.report.server.run import open_socket
from tests.orchestrator.report.server.serving import Served, serve

PROGRAM = [sys.executable, "-m", "orchestrator", "serve"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGHUP, 0), (signal.SIGKILL, -9)]
)
def test_a_signal_ends_the_server_and_its_port_is_free(
    place: Store, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    with serve(place.folder.parent, tmp_path / "home") as served:
        served.process.send_signal(sent)
        assert served.process.wait(20) == code
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(served.address, timeout=5)
        with serve(place.folder.parent, tmp_path / "home", served.port) as again:
            assert again.printed == served.printed
            assert again.ask("/", served.cookie).status == 200


@pytest.mark.long
def test_an_open_stream_does_not_hold_up_the_end_and_nothing_is_printed_then(
    place: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with place.hold_lock(f"{os.getpid()} mark"), serve(place.folder.parent, tmp_path / "home") as served:
        request = urllib.request.Request(f"{served.address}/runs/{place.name}/events", headers=served.cookie)
        with urllib.request.urlopen(request, timeout=20) as stream:
            assert stream.readline() == b"event: parts\n"
            served.process.terminate()
            assert served.process.wait(20) == 0
    assert capfd.readouterr().err == ""


def test_the_server_answers_to_this_machine_alone(served: Served) -> None:
    listening = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True, check=True).stdout
    own = [line.split()[1] for line in listening.splitlines() if line.split()[1].endswith(f":{served.port:04X}")]
    assert {address.partition(":")[0] for address in own} == {"0100007F"}


def test_a_port_that_is_taken_is_a_mistake_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot serve at port {port}: .*; choose another with --port"):
            open_socket(port)
        command = [*PROGRAM, "--port", str(port), "--runs", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.long
def test_a_folder_that_is_not_there_is_not_created(tmp_path: Path) -> None:
    done = subprocess.run([*PROGRAM, "--runs", str(tmp_path / "none")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert (
        done.stderr == f"error: there is no folder {tmp_path / 'none'}; name the one that holds the runs with --runs\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@pytest.mark.skipif(len(list_cores()) < 2, reason="a single core cannot be left to others")
def test_every_thread_leaves_the_cores_of_a_running_sweep_and_comes_back(
    place: Store, tmp_path: Path, soon: Callable[[Callable[[], bool]], bool]
) -> None:
    busy, *rest = reversed(list_cores())
    place.write_manifest(place.read_manifest().model_copy(update={"cores": (busy,)}))
    with serve(place.folder.parent, tmp_path / "home") as served:
        with place.hold_lock(f"{os.getpid()} mark"):
            assert soon(lambda: read_cores(served) <= {*rest})
            assert served.ask(f"/runs/{place.name}").status == 200
            assert read_cores(served) <= {*rest}
        assert soon(lambda: read_cores(served) == {*list_cores()})


def read_cores(served: Served) -> set[int]:
    """Return the cores that any thread of the server may use."""
    return set().union(
        *(os.sched_getaffinity(int(each.name)) for each in Path(f"/proc/{served.process.pid}/task").iterdir())
    )
