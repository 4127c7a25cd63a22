"""Programs of others answer, fail or hang; a program that is fed reads what it is given."""

import os
import signal
import time
from pathlib import Path

import pytest

from orchestrator.processes.process import ask_program, open_log, start_process
from orchestrator.processes.signals import Interrupts, wait_for_signal
from orchestrator.processes.watchdog import MARK_VARIABLE

WAIT_S = 20.0


def test_an_answer_has_status_output_and_errors() -> None:
    found = ask_program(["sh", "-c", "cat; echo wrong >&2; exit 3"], message="hello", deadline_s=WAIT_S)
    assert (found.status, found.output, found.errors) == (3, "hello", "wrong")


def test_a_program_of_others_is_not_marked_as_started_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MARK_VARIABLE, raising=False)
    assert MARK_VARIABLE not in ask_program(["env"], deadline_s=WAIT_S).output


def test_one_that_does_not_exist_or_does_not_answer_has_no_status() -> None:
    missing = ask_program(["no-such-program"], deadline_s=WAIT_S)
    assert (missing.status, missing.errors) == (None, "no-such-program: No such file or directory")
    slow = ask_program(["sleep", "60"], deadline_s=0.1)
    assert (slow.status, slow.errors) == (None, "sleep did not answer within 0.1 s")


def test_output_that_is_no_text_is_replaced() -> None:
    assert ask_program(["printf", r"a\377b"], deadline_s=WAIT_S).output == "a\N{REPLACEMENT CHARACTER}b"


def test_a_program_can_be_fed_although_its_output_goes_to_a_file(tmp_path: Path) -> None:
    with open_log(tmp_path / "out") as out:
        process = start_process(["cat"], os.environ, stdout=out, stderr=out, feed=True)
    assert process.stdin is not None
    assert process.stdout is None
    process.stdin.write(b"hello")
    process.stdin.close()
    assert process.wait(WAIT_S) == 0
    assert (tmp_path / "out").read_text() == "hello"


def test_without_being_fed_its_input_is_empty(tmp_path: Path) -> None:
    with open_log(tmp_path / "out") as out:
        process = start_process(["cat"], os.environ, stdout=out, stderr=out)
    assert process.stdin is None
    assert process.wait(WAIT_S) == 0


def test_waiting_ends_with_a_signal_or_with_its_time() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        began = time.monotonic()
        wait_for_signal(WAIT_S, interrupts)
    assert time.monotonic() - began < WAIT_S / 2
    wait_for_signal(0.01, None)
