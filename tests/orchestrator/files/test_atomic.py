"""Files of a run: written whole or not at all, read with a bound, and never through a link."""

import os
import random
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.files import atomic
from schemas.base import Versioned

WRITER = Path(__file__).resolve().parents[2] / "doubles" / "writes.py"
SIZE = 300_000
MANY = 1_000_000


class Note(Versioned):
    """A document of the tests."""

    text: str
    lines: tuple[int, ...] = ()


NOTE = Note(text="an ü and a line\nbreak", lines=(1, 2))


@given(st.binary(max_size=2000))
def test_what_was_written_is_there_byte_by_byte(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any bytes"
    atomic.write_bytes(path, content)
    assert path.read_bytes() == content


def test_a_text_is_written_as_utf_8_with_its_line_ends(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "text", "ü\r\n\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xbc\r\n\n"


def test_a_document_comes_back_as_it_was(tmp_path: Path) -> None:
    atomic.write_model(tmp_path / "note.json", NOTE)
    assert atomic.read_model(tmp_path / "note.json", Note) == NOTE


def test_a_document_is_written_for_people_too(tmp_path: Path) -> None:
    atomic.write_model(tmp_path / "note.json", NOTE)
    assert len((tmp_path / "note.json").read_text().splitlines()) > 4


@given(st.text(alphabet='[]\n 1,2"\\', max_size=30), st.lists(st.integers(-9, 10**12), max_size=5))
def test_a_document_comes_back_as_it_was_whatever_its_text_looks_like(
    tmp_path_factory: pytest.TempPathFactory, text: str, lines: list[int]
) -> None:
    note, path = Note(text=text, lines=tuple(lines)), tmp_path_factory.getbasetemp() / "any note.json"
    atomic.write_model(path, note)
    assert atomic.read_model(path, Note) == note


def test_a_list_of_numbers_takes_one_line(tmp_path: Path) -> None:
    atomic.write_model(tmp_path / "note.json", NOTE)
    assert ' "lines": [1, 2]' in (tmp_path / "note.json").read_text().splitlines()


def test_only_the_file_itself_is_left(tmp_path: Path) -> None:
    for text in ("one", "two"):
        atomic.write_text(tmp_path / "file", text)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_earlier_file_is_replaced_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    with path.open() as reader:
        atomic.write_text(path, "after")
        assert reader.read() == "before"
    assert path.read_text() == "after"


def test_a_reader_sees_one_whole_text_or_the_other_at_any_time(tmp_path: Path) -> None:
    path, texts, seen = tmp_path / "file", ["a" * 10_000, "b" * 20_000], set[str]()
    atomic.write_text(path, texts[0])
    written = threading.Event()

    def read() -> None:
        while not written.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        atomic.write_text(path, texts[number % 2])
    written.set()
    reader.join()
    assert seen <= {*texts}


def test_what_a_killed_writer_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_text("half")
    atomic.write_text(tmp_path / "file", "whole")
    assert (tmp_path / "file").read_text() == "whole"


@pytest.mark.parametrize("where", ["missing/file", "file/below"])
def test_a_place_that_is_not_there_is_an_error_that_names_it(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=where.split("/", maxsplit=1)[0]):
        atomic.write_text(tmp_path / where, "text")


def test_a_folder_that_cannot_be_flushed_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    flushed = [tmp_path, *([Path("/proc/self")] if Path("/proc/self").exists() else [])]  # which none can flush
    for folder in flushed:
        atomic.sync_folder(folder)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_regular_file_is_opened_for_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x00\xff")
    with atomic.open_regular(tmp_path / "file") as file:
        assert file.read() == b"\x00\xff"


def test_a_link_is_not_opened_even_to_a_regular_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="link"):
        atomic.open_regular(tmp_path / "link")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        atomic.open_regular(tmp_path / "pipe")


def test_neither_a_folder_nor_a_device_is_a_file_of_a_run(tmp_path: Path) -> None:
    for path in (tmp_path, Path(os.devnull)):
        with pytest.raises(OSError, match="not a regular file"):
            atomic.open_regular(path)


def test_no_descriptor_is_left_open_where_opening_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = os.dup(0)
    os.close(before)
    for path in (tmp_path / "pipe", tmp_path, Path(os.devnull)):
        with pytest.raises(OSError, match="not a regular file"):
            atomic.open_regular(path)
    after = os.dup(0)
    os.close(after)
    assert after == before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a file of this version: the whole: Invalid JSON"),
        (b'{"text": 3}', "is not a file of this version: text: Input should be a valid string"),
        (b'{"text": "x", "lines": [1, "two"]}', r"this version: lines\.1: Input should be a valid integer"),
        (b'{"text": "x", "more": 1}', "this version: more: Extra inputs are not permitted"),
        (b'{"lines": []}', "this version: text: Field required"),
        (
            b'{"text": "x", "schema_version": 99}',
            r"schema version 99 is not supported, only .*; use the Plumbline that wrote",
        ),
        (b'{"text": "\xff"}', "is not a file of this version: the whole: "),
        (b"[" * 100_000, "is not a file of this version: the whole: "),
    ],
)
def test_a_file_that_is_not_such_a_document_is_named_with_the_place(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "note.json").write_bytes(content)
    with pytest.raises(UsageError, match=rf"note\.json.*{sentence}"):
        atomic.read_model(tmp_path / "note.json", Note)


def test_a_file_that_is_missing_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^cannot read .*note\.json: No such file or directory$"):
        atomic.read_model(tmp_path / "note.json", Note)


def test_a_file_larger_than_any_worker_may_send_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a sparse file of a tebibyte
    with pytest.raises(UsageError, match=r"note\.json is larger than 64 MiB, the most for a file of a run"):
        atomic.read_model(path, Note)


def test_a_file_has_the_permissions_that_its_user_chose(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic.write_text(tmp_path / "file", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


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


@pytest.mark.long
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


# Compressed files.


@given(st.binary(max_size=2000))
def test_what_is_compressed_is_read_back_and_the_same_each_time(content: bytes) -> None:
    packed = atomic.compress_bytes(content)
    assert atomic.decompress_bytes(packed) == content
    assert atomic.compress_bytes(content) == packed


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda packed: packed[:-1], "is not one complete gzip file"),
        (lambda packed: packed + b"x", "is not one complete gzip file"),
        (lambda packed: packed + packed, "is not one complete gzip file"),
        (lambda packed: b"x" + packed, "is not a gzip file"),
        (lambda packed: b"", "is not one complete gzip file"),
    ],
)
def test_a_damaged_compressed_file_is_refused(damage: Callable[[bytes], bytes], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        atomic.decompress_bytes(damage(atomic.compress_bytes(b"some text")))


def test_a_small_file_that_holds_too_much_is_refused_with_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(atomic.compress_bytes(bytes(atomic.MAX_FILE_BYTES + 1)))
    assert path.stat().st_size < 100_000
    with pytest.raises(UsageError, match=r"bomb.json.gz holds more than 64 MiB, the most for a file of a run"):
        atomic.read_model(path, Versioned)


def test_bytes_are_replaced_without_a_look_at_the_folder(tmp_path: Path) -> None:
    left = tmp_path / ".a.00000000.part"
    left.write_bytes(b"left")
    atomic.replace_bytes(tmp_path / "a", b"new")
    assert ((tmp_path / "a").read_bytes(), left.exists()) == (b"new", True)
    atomic.remove_abandoned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
