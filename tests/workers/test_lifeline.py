"""No worker is left behind when its parent dies."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the request is one to the Linux kernel")

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_MS = 20_000

IN_C_CODE_FOR_EVER = """
import itertools, os
from workers.lifeline import die_with

die_with(os.getppid())
print(os.getpid(), flush=True)
all(itertools.repeat(True))
"""

PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""

PARENT_OF_A_WORKER = """
import subprocess, sys
worker = subprocess.Popen([sys.executable, "-P", "-m", "workers"], stdin=subprocess.PIPE)
worker.communicate(sys.argv[1].encode())
"""

A_SHELL_THAT_LEAVES_AT_ONCE = '"$0" -P -m workers <"$1" >"$2" 2>&1 & exit 0'


def ends(process: int) -> bool:
    """Wait for the end of a process that is not ours; one that does not come to it is killed."""
    descriptor = os.pidfd_open(process)
    watch = select.poll()
    watch.register(descriptor, select.POLLIN)
    ended = bool(watch.poll(PATIENCE_MS))
    if not ended:
        os.kill(process, signal.SIGKILL)
    os.close(descriptor)
    return ended


def environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": str(ROOT)}


def test_a_process_dies_with_its_parent_even_while_c_code_holds_the_interpreter() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, IN_C_CODE_FOR_EVER], stdout=subprocess.PIPE, env=environment()
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        child = int(output.readline())
        parent.kill()
        parent.wait()
    assert ends(child)


def test_a_worker_that_hangs_in_a_call_dies_with_its_parent(ask: "Ask") -> None:
    spec = ask("synthetic", "hang", "synthetic").model_dump_json()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT_OF_A_WORKER, spec], stdout=subprocess.PIPE, env=environment()
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        hello = output.readline().decode()
        while b"first_call" not in output.readline():
            assert parent.poll() is None
        parent.kill()
        parent.wait()
    assert ends(int(hello.split('"pid":')[1].split(",")[0]))


def test_a_process_whose_parent_is_gone_already_ends_at_once(python: "Python") -> None:
    ended = python("import os; from workers.lifeline import die_with; die_with(os.getppid() + 1); print('alive')")
    assert (ended.status, ended.output) == (1, b"")


def test_a_process_whose_parent_lives_goes_on(python: "Python") -> None:
    ended = python("import os; from workers.lifeline import die_with; die_with(os.getppid()); print('alive')")
    assert (ended.status, ended.output) == (0, b"alive\n")
