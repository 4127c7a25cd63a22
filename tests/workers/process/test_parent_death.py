"""Workers die with their parent."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the request is one to the Linux kernel")

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_MS = 20_000

IN_C_CODE_FOR_EVER = """
import itertools, os
from workers.process.parent_death import die_with_parent

die_with_parent(os.getppid())
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


@contextmanager
def watched(process: int) -> Iterator[select.poll]:
    """Yield a poll that becomes ready when a process ends; kill the process afterwards if it has not ended."""
    descriptor = os.pidfd_open(process)
    end = select.poll()
    end.register(descriptor, select.POLLIN)
    try:
        yield end
    finally:
        if not end.poll(0):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        os.close(descriptor)


def environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": str(ROOT)}


def test_a_process_dies_with_its_parent_even_while_c_code_holds_the_interpreter() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, IN_C_CODE_FOR_EVER], stdout=subprocess.PIPE, env=environment()
    )
    assert parent.stdout is not None
    with parent.stdout as output, watched(int(output.readline())) as end:
        parent.kill()
        parent.wait()
        assert end.poll(PATIENCE_MS)


def test_a_worker_that_hangs_in_a_call_dies_with_its_parent(ask: "Ask") -> None:
    spec = ask("synthetic", "hang", "synthetic").model_dump_json()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT_OF_A_WORKER, spec], stdout=subprocess.PIPE, env=environment()
    )
    assert parent.stdout is not None
    with parent.stdout as output, watched(json.loads(output.readline())["pid"]) as end:
        while b"first_call" not in output.readline():
            assert not end.poll(0)
        parent.kill()
        parent.wait()
        assert end.poll(PATIENCE_MS)


def test_a_process_whose_parent_is_gone_already_ends_at_once(python: "Python") -> None:
    ended = python(
        "import os; from workers.process.parent_death import die_with_parent; "
        "die_with_parent(os.getppid() + 1); print('alive')"
    )
    assert (ended.status, ended.output) == (1, b"")


def test_a_process_whose_parent_lives_goes_on(python: "Python") -> None:
    ended = python(
        "import os; from workers.process.parent_death import die_with_parent; "
        "die_with_parent(os.getppid()); print('alive')"
    )
    assert (ended.status, ended.output) == (0, b"alive\n")
