"""Events reach the parent, and nothing else does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Work

NOISY = """
import ctypes, os, subprocess
from schemas.event import Phase
from workers.process.channel import Channel

channel = Channel.claim()
print("a print of Python", flush=True)
os.write(1, b"a write to descriptor 1\\n")
libc = ctypes.CDLL(None)
libc.puts(b"a puts of C")
libc.fflush(None)
subprocess.run(["echo", "an echo of a child"])
os.system("echo an echo of a shell")
channel.send(Phase(name="build"))
"""

TALKATIVE = """
from schemas.event import Failure, Phase
from workers.process.channel import Channel

channel = Channel.claim()
channel.send(Phase(name="import"))
channel.send(Failure(outcome="raised", reason="several\\nlines\\r\\n" + "x" * 1_000_000))
channel.send(Phase(name="build"))
"""

WITH_A_CHILD = """
import subprocess
from workers.process.channel import Channel

Channel.claim()
subprocess.run(["ls", "-l", "/proc/self/fd"], close_fds=False)
"""

PRINTED_BEFORE_IT_WAS_CLAIMED = """
print("at the interpreter's start")
from schemas.event import Phase
from workers.process.channel import Channel

Channel.claim().send(Phase(name="import"))
"""

A_WORKER_THAT_PRINTS = """
import runpy, sys

def hook(event, arguments):
    if event == "import" and arguments[0] == "numpy":
        print("printed while NumPy was imported")

sys.addaudithook(hook)
runpy.run_module("workers", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    "noise", ["a print of Python", "a write to descriptor 1", "a puts of C", "an echo of a child", "an echo of a shell"]
)
def test_noise_on_descriptor_1_reaches_the_log_and_not_the_parent(python: "Python", noise: str) -> None:
    ended = python(NOISY)
    assert ended.output == b'{"kind":"phase","name":"build"}\n'
    assert noise in ended.log


def test_every_event_is_one_line_of_json_however_long_it_is(python: "Python") -> None:
    lines = python(TALKATIVE).output.split(b"\n")
    assert [json.loads(line)["kind"] for line in lines[:-1]] == ["phase", "failure", "phase"]
    assert lines[-1] == b""
    assert json.loads(lines[1])["reason"].endswith("x" * 1_000_000)


@pytest.mark.skipif(sys.platform != "linux", reason="lists descriptors in /proc")
def test_a_child_of_the_worker_does_not_inherit_the_claimed_descriptor(tmp_path: Path) -> None:
    ours, claimed = os.pipe()
    log = tmp_path / "log"
    with log.open("wb") as log_file:
        subprocess.run([sys.executable, "-c", WITH_A_CHILD], stdout=claimed, stderr=log_file, check=True)
    inherited = log.read_text()
    assert str(log) in inherited
    assert f"pipe:[{os.fstat(ours).st_ino}]" not in inherited
    os.close(ours)
    os.close(claimed)


def test_what_was_printed_before_the_claim_does_not_reach_the_parent(python: "Python") -> None:
    ended = python(PRINTED_BEFORE_IT_WAS_CLAIMED)
    assert ended.output == b'{"kind":"phase","name":"import"}\n'
    assert "at the interpreter's start" in ended.log


def test_what_a_worker_prints_is_in_its_log(python: "Python", ask: "Ask") -> None:
    spec = ask("synthetic", "spin", "synthetic", {"spin_ns": 0})
    ended = python(A_WORKER_THAT_PRINTS, message=spec.model_dump_json().encode())
    assert ended.events[-1].kind == "report"
    assert "printed while NumPy was imported" in ended.log


def test_a_worker_whose_calls_write_to_descriptor_1_reports_as_if_they_did_not(ask: "Ask", work: "Work") -> None:
    ended = work(ask("synthetic", "chatter", "synthetic", {"spin_ns": 100_000}))
    kinds = [event.kind for event in ended.events]
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("hello", "report", {"phase"})
    assert '{"kind":"report"}' in ended.log
    assert "chatter on descriptor 2" in ended.log
