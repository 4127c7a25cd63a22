"""The dashboard on a real terminal: its keys, its size, and the terminal's state afterwards."""

import os
import re
import sys
import termios
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.execution.keyboard import Keyboard
from orchestrator.processes.signals import Interrupts
from schemas.record import JobRecord, Manifest
from tests.orchestrator.quick import PROGRAM, QUICK

if sys.platform == "win32":
    pytest.skip("terminals here are those of Unix", allow_module_level=True)

from tests.orchestrator.terminal import Terminal

COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "quick.toml").write_text(QUICK)
    return tmp_path


def sweep_command(*arguments: str, blocks: int = 32) -> list[str]:
    return [*PROGRAM, "sweep", "quick.toml", "--blocks", str(blocks), *arguments]


def read_records(folder: Path) -> list[JobRecord]:
    return [JobRecord.model_validate_json(path.read_bytes()) for path in sorted(folder.glob("runs/*/jobs/*.json"))]


def read_manifest(folder: Path) -> Manifest:
    (path,) = folder.glob("runs/*/manifest.json")
    return Manifest.model_validate_json(path.read_bytes())


def count_records(folder: Path) -> int:
    return len(read_records(folder))


@pytest.mark.long
def test_p_pauses_before_the_next_job_and_goes_on(folder: Path) -> None:
    with Terminal(sweep_command(blocks=2), folder) as terminal:
        terminal.until(lambda text: "p pause   s skip this cell   q stop and report" in text)
        terminal.press("p")
        terminal.until(lambda text: "PAUSED: p continues, q stops and reports" in text)
        before = count_records(folder)
        time.sleep(1.0)
        assert count_records(folder) == before
        assert before < 4
        terminal.press("P")
        assert terminal.ended() == ExitCode.FINE
    assert read_manifest(folder).stopped == "all 2 blocks were run"


@pytest.mark.measures
@pytest.mark.long
def test_a_pause_is_no_part_of_the_budget(folder: Path) -> None:
    with Terminal(sweep_command("--budget", "10s", blocks=2), folder) as terminal:
        terminal.until(lambda text: "p pause" in text)
        terminal.press("p")
        terminal.until(lambda text: "PAUSED" in text)
        time.sleep(11.0)
        terminal.press("p")
        terminal.ended()
    assert read_manifest(folder).stopped == "all 2 blocks were run"


@pytest.mark.long
def test_s_ends_the_running_job_and_leaves_its_cell_out(folder: Path) -> None:
    asked = ("--frameworks", "synthetic:hang,synthetic:spin", "--workloads", "mlp")
    with Terminal(sweep_command(*asked, blocks=2), folder) as terminal:
        terminal.until(lambda _: any(folder.glob("runs/*/jobs/001-synthetic-hang*.log")))
        time.sleep(0.5)
        terminal.press("s")
        assert terminal.ended() == ExitCode.FINE
    ended = {(record.spec.cell.label, record.spec.block): record.outcome for record in read_records(folder)}
    assert [outcome for (label, _), outcome in ended.items() if label.startswith("synthetic:hang")] == ["skipped"]
    assert [ended["synthetic:spin", block] for block in (1, 2)] == ["measured", "measured"]
    skipped = next(record for record in read_records(folder) if record.outcome == "skipped")
    assert skipped.reason == "the user skipped this cell"
    assert read_manifest(folder).finished


@pytest.mark.long
def test_q_stops_and_reports_and_the_run_can_be_resumed(folder: Path) -> None:
    with Terminal(sweep_command(blocks=3), folder) as terminal:
        terminal.until(lambda text: "p pause" in text and count_records(folder) > 2)
        terminal.press("q")
        assert terminal.ended() == ExitCode.INTERRUPTED
        assert "Ended: stopped by the user" in "\n".join(terminal.screen)
    assert not read_manifest(folder).finished
    kept = {(record.spec.block, record.spec.cell.id) for record in read_records(folder) if record.outcome == "measured"}
    with Terminal([*PROGRAM, "resume", "latest"], folder) as terminal:
        assert terminal.ended() == ExitCode.FINE
    assert read_manifest(folder).stopped == "all 3 blocks were run"
    assert kept <= {(record.spec.block, record.spec.cell.id) for record in read_records(folder)}


@pytest.mark.long
def test_ctrl_c_is_a_signal_as_ever(folder: Path) -> None:
    with Terminal(sweep_command(), folder) as terminal:
        terminal.until(lambda text: "p pause" in text)
        terminal.press("\x03")
        assert terminal.ended() == ExitCode.INTERRUPTED
    assert read_manifest(folder).stopped == "stopped by SIGINT"


@pytest.mark.long
def test_the_terminal_is_as_it_was_before(folder: Path) -> None:
    with Terminal(sweep_command(), folder) as terminal:
        terminal.until(lambda text: "p pause" in text)
        assert terminal.settings != terminal.before
        terminal.press("q")
        terminal.ended()
        assert terminal.settings == terminal.before


MANY = ("--workloads", "rnn_cell,rnn,mlp", "--tasks", "forward,backward", "--frameworks", "synthetic:spin,numpy")


@pytest.mark.measures
@pytest.mark.long
@pytest.mark.parametrize(
    "sizes", [[(40, 15), (80, 24), (200, 60)], [(120, 40), (80, 24)]], ids=["growing", "shrinking"]
)
def test_the_dashboard_fits_its_terminal_and_follows_it_to_another_size(
    folder: Path, sizes: list[tuple[int, int]]
) -> None:
    (columns, lines), *others = sizes
    with Terminal(sweep_command(*MANY, blocks=2), folder, columns=columns, lines=lines) as terminal:
        terminal.until(partial(has_recorded, folder, 1))
        for size in others:
            assert is_whole(terminal.screen)
            before = count_records(folder)
            terminal.resize(*size)
            terminal.until(partial(has_recorded, folder, before + 2))
        assert is_whole(terminal.screen)
        terminal.press("q")
        terminal.ended()


def has_recorded(folder: Path, jobs: int, _: str) -> bool:
    """Return whether this many jobs have their records. The next job draws the dashboard anew when it begins."""
    return len(list(folder.glob("runs/*/jobs/*.json"))) >= jobs


def is_whole(screen: Sequence[str]) -> bool:
    """Return whether the screen shows the dashboard once, from its rule to its keys."""
    headings = [line for line in screen if line.startswith("plumbline sweep: ")]
    return len(headings) == 1 and any("p pause" in line for line in screen)


@pytest.mark.long
def test_without_colour_none_is_sent(folder: Path) -> None:
    with Terminal(sweep_command(blocks=1), folder, variables={"NO_COLOR": "1"}) as terminal:
        assert terminal.ended() == ExitCode.FINE
        codes = {code for found in COLOUR.findall(terminal.said) for code in re.findall(rb"\d+", found)}
    assert not {code for code in codes if 30 <= int(code) <= 49 or 90 <= int(code) <= 107}


@pytest.mark.long
def test_there_are_no_keys_where_nobody_types(folder: Path) -> None:
    command = " ".join(sweep_command(blocks=1))
    with Terminal(["/bin/sh", "-c", f"{command} < /dev/null"], folder) as terminal:
        assert terminal.ended() == ExitCode.FINE
        assert b"p pause" not in terminal.said


def test_a_terminal_that_is_not_ours_has_no_keys() -> None:
    outer, inner = os.openpty()
    before = termios.tcgetattr(inner)
    with Keyboard(inner) as keys:
        assert not keys.listening
        assert termios.tcgetattr(inner) == before
    os.close(outer)
    os.close(inner)


def test_where_there_are_no_keys_nothing_waits() -> None:
    with Keyboard() as keys, Interrupts(()) as interrupts:
        keys.paused = True
        keys.begin_job()
        keys.wait(interrupts)
        assert not keys.listening
