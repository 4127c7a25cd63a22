"""Memory of a job and its helpers, sampled from outside, even if the job is killed."""

import subprocess
import sys

import psutil
import pytest

from orchestrator.processes.memory_sampler import MemorySampler

MIB = 1 << 20
HOLD = "held = b'x' * {0}; print('holding', flush=True); import sys; sys.stdin.read()"
WITH_A_HELPER = """
import subprocess, sys
helper = subprocess.Popen([sys.executable, "-c", {0!r}], stdin=sys.stdin, stdout=subprocess.PIPE)
helper.stdout.readline()
print("holding", flush=True)
helper.wait()
"""


@pytest.mark.parametrize("program", [HOLD.format(64 * MIB), WITH_A_HELPER.format(HOLD.format(64 * MIB))])
def test_what_a_process_and_its_helpers_hold_is_seen_and_remembered(program: str) -> None:
    sampler = MemorySampler()
    worker = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert worker.stdin is not None
    assert worker.stdout is not None
    with worker.stdout, worker.stdin:
        worker.stdout.readline()
        members = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children()]
        sampler.take_sample(members)
    worker.wait()
    sampler.take_sample(members)
    assert sampler.looks == 1
    assert 64 * MIB < sampler.last_bytes < 128 * MIB
    assert sampler.peak_bytes == sampler.last_bytes
