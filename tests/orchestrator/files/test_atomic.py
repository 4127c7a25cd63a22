import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.files import atomic

WRITER = Path(__file__).resolve().parents[2] / "doubles" / "writes.py"
SIZE = 300_000
MANY = 1_000_000


def start_writer(path: Path, letter: str, times: int) -> "subprocess.Popen[str]":
    command = [sys.executable, str(WRITER), str(path), letter, str(times)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_that_write_one_file_both_succeed_and_it_is_always_whole(tmp_path: Path) -> None:
    path, seen = tmp_path / "report.html", set[str]()
    with start_writer(path, "a", 200) as one, start_writer(path, "b", 200) as other:
        for program in (one, other):
            assert program.stdout is not None
            assert program.stdout.readline() == "writing\n"
        while one.poll() is None or other.poll() is None:
            text = path.read_text()
            assert (len(text), len(set(text))) == (SIZE, 1)
            seen.add(text[0])
        assert [program.communicate() for program in (one, other)] == [("", "")] * 2
    assert (one.returncode, other.returncode) == (0, 0)
    assert seen == {"a", "b"}
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_writers_leave_is_removed_by_the_next_one(tmp_path: Path) -> None:
    path, rng, left = tmp_path / "report.html", random.Random(1), 0
    for _ in range(12):
        with start_writer(path, "a", MANY) as program:
            assert program.stdout is not None
            program.stdout.readline()
            time.sleep(rng.uniform(0, 0.05))
            program.kill()
        assert path.read_text() == "a" * SIZE
        parts = [each for each in tmp_path.iterdir() if each != path]
        assert len(parts) <= 1
        left += len(parts)
    assert left > 0, "no writer was killed while it wrote"
    atomic.write_text(path, "whole")
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_writer_at_work_has_beside_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with atomic.open_part(path) as part:
        part.write(b"half")
        atomic.write_text(path, "whole")
        assert Path(part.name).is_file()
    atomic.write_text(path, "whole again")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_only_parts_of_the_same_file_are_removed(tmp_path: Path) -> None:
    others = [tmp_path / name for name in (".x.html.part", ".x.html.0.part", ".y.html.00000000.part", "x.html.part")]
    for other in others:
        other.touch()
    atomic.write_text(tmp_path / "x.html", "whole")
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "x.html"])


def test_a_file_is_as_readable_for_others_as_one_written_in_place(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    atomic.write_text(tmp_path / "whole", "x")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_write_that_fails_in_any_way_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(TypeError):
        atomic.write_bytes(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
