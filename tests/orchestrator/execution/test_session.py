import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest

from orchestrator.environments.lookup import Environments
from orchestrator.execution.session import MeasuringSession, open_session
from orchestrator.machine.affinity import list_cores


def find_caches(session: MeasuringSession) -> Path:
    assert session.launcher.caches is not None
    return session.launcher.caches


def test_a_session_keeps_signals_for_its_jobs_which_otherwise_end_this_program() -> None:
    with open_session((), Environments()) as session:
        os.kill(os.getpid(), signal.SIGINT)
        assert session.interrupts.received is signal.SIGINT
        assert session.launcher.interrupts is session.interrupts
        assert session.launcher.keys is session.keys
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("fails", [False, True])
def test_a_session_leaves_nothing_behind_however_it_ends(*, fails: bool) -> None:
    cores, children = list_cores(), psutil.Process().children()
    with contextlib.suppress(RuntimeError), open_session(cores[:1], Environments()) as session:
        assert find_caches(session).is_dir()
        assert len(psutil.Process().children()) == len(children) + 1  # the watchdog
        assert list_cores() == (cores[1:] or cores)
        if fails:
            raise RuntimeError
    assert not find_caches(session).exists()
    assert list_cores() == cores
    assert psutil.Process().children() == children
