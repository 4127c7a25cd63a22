"""Files of the kernel below a root that a test chooses: read as text, numbers and tables, or None."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.machine.kernel_files import KernelFiles, parse_bytes, parse_natural, to_utf8
from tests.orchestrator.machine.kernel import write


@pytest.fixture
def files(tmp_path: Path) -> KernelFiles:
    for name, text in {
        "proc/number": "42\n",
        "proc/words": "  two words \n\n",
        "proc/empty": "\n",
        "proc/table": "Name:\tfirst\nName:\tsecond\nSize :  12 kB\nodd line\n: nameless\n",
        "proc/flat": "high 3\nlow 5\n",
        "sys/cpu0/level": "1\n",
        "sys/cpu1/level": "not a number\n",
        "sys/cpu10/level": "3\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "proc/bytes").write_bytes(b"a\0b\xff\n")
    return KernelFiles(tmp_path)


def test_a_text_has_no_space_around_it(files: KernelFiles) -> None:
    assert files.read_text("proc/words") == "two words"


def test_an_empty_or_missing_file_and_a_folder_have_no_text(files: KernelFiles) -> None:
    assert [files.read_text(name) for name in ("proc/empty", "proc/none", "proc", "proc/number/x")] == [None] * 4


def test_bytes_that_are_no_text_are_replaced_and_separators_become_spaces(files: KernelFiles) -> None:
    assert files.read_text("proc/bytes") == "a b\N{REPLACEMENT CHARACTER}"


def test_a_number_is_a_natural_number_or_none(files: KernelFiles) -> None:
    assert files.read_number("proc/number") == 42
    assert files.read_number("proc/words") is None
    assert files.read_number("proc/none") is None


def test_a_missing_file_has_no_lines_and_an_empty_table(files: KernelFiles) -> None:
    assert files.read_lines("proc/none") == []
    assert files.read_table("proc/none") == {}


def test_of_a_repeated_name_the_first_value_counts(files: KernelFiles) -> None:
    table = files.read_table("proc/table")
    assert (table["Name"], table["Size"], table["odd line"], table[""]) == ("first", "12 kB", "", "nameless")


def test_a_table_may_have_another_separator(files: KernelFiles) -> None:
    assert files.read_table("proc/flat", " ") == {"high": "3", "low": "5"}


def test_names_that_match_are_below_the_root_and_sorted(files: KernelFiles) -> None:
    assert files.list_names("sys/cpu[0-9]*/level") == ["sys/cpu0/level", "sys/cpu1/level", "sys/cpu10/level"]
    assert files.list_names("sys/gpu*") == []


def test_of_many_files_those_with_numbers_count(files: KernelFiles) -> None:
    assert files.read_numbers("sys/cpu[0-9]*/level") == [1, 3]


def test_a_file_is_there_or_it_is_not(files: KernelFiles) -> None:
    assert files.has_file("proc/empty")
    assert not files.has_file("proc/none")
    assert files.to_path("proc/empty").is_absolute()


@given(st.integers(0, 10**20 - 1))
def test_every_counter_of_a_kernel_is_parsed(number: int) -> None:
    assert parse_natural(str(number)) == number


@pytest.mark.parametrize("text", [None, "", "-1", "+1", "1.0", "0x10", "1 ", " 1", "1_000", "²", "１", "1" * 21])
def test_what_no_kernel_writes_is_no_number(text: str | None) -> None:
    assert parse_natural(text) is None


@given(st.text(max_size=30))
def test_any_text_is_a_natural_number_or_none(text: str) -> None:
    found = parse_natural(text)
    assert found is None or (found >= 0 and str(found) == (text.lstrip("0") or "0"))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("48K", 48 << 10),
        ("48k", 48 << 10),
        ("32M", 32 << 20),
        ("2G", 2 << 30),
        ("24684092 kB", 24684092 << 10),
        ("7 B", 7),
    ],
)
def test_bytes_are_parsed_with_the_kernels_units(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", [None, "", "K", "1.5K", "-1", "1 T", "1  kB", "kB 1", "1KiB", "9" * 21])
def test_what_is_no_size_is_none(text: str | None) -> None:
    assert parse_bytes(text) is None


@given(st.text())
def test_a_variable_that_is_text_stays_as_it_is_and_any_other_can_be_written(text: str) -> None:
    surrogates = any("\ud800" <= character <= "\udfff" for character in text)
    if not surrogates:
        assert to_utf8(text) == text


def test_bytes_of_a_variable_that_are_not_utf_8_are_replaced() -> None:
    odd = b"caf\xe9".decode(errors="surrogateescape")
    assert to_utf8(odd) == "caf\N{REPLACEMENT CHARACTER}"
    assert to_utf8(odd).encode()


def test_names_are_sorted_and_those_of_an_unknown_place_are_none(tmp_path: Path) -> None:
    write(tmp_path, {"b/x": "", "a/x": ""})
    assert KernelFiles(tmp_path).list_names("*/x") == ["a/x", "b/x"]
    assert KernelFiles(tmp_path / "nothing").list_names("*") == []
