"""TOML files of users: each mistake is one sentence with the file, the line, and what would be valid."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from orchestrator.errors import UsageError
from orchestrator.files.toml import (
    MAX_FILE_BYTES,
    find_line,
    list_valid_keys,
    load_model,
    parse_toml,
    read_limited_text,
    read_toml,
    shorten_value,
    validate_model,
    walk_annotation,
)
from schemas.base import Model


class Room(Model):
    """A room of the tests' house."""

    colour: str
    windows: int = Field(default=1, ge=0)


class House(Model):
    """A model with plain fields, a table, a list of tables and tables that the user names."""

    street: str = ""
    version: str | None = None
    kitchen: Room | None = None
    rooms: tuple[Room, ...] = ()
    named: dict[str, Room] = Field(default_factory=dict)


PLAN = """\
street = "Elm"

[kitchen]
colour = "red"
windows = 2

[[rooms]]
colour = "blue"

[[rooms]]
colour = "green"
windows = 0

[named.attic]
colour = "white"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "house.toml"
    path.write_text(text)
    return path


def test_a_file_without_a_mistake_is_its_model(tmp_path: Path) -> None:
    house = load_model(write(tmp_path, PLAN), House)
    assert house.kitchen == Room(colour="red", windows=2)
    assert [room.colour for room in house.rooms] == ["blue", "green"]
    assert house.named == {"attic": Room(colour="white")}


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('street = "Elm"', "street = 1", "1: street: input should be a valid string, not 1"),
        ('street = "Elm"', "version = 3.10", "1: version: input should be a valid string, not 3.1; quote it"),
        ('street = "Elm"', "version = true", "1: version: input should be a valid string, not True"),
        ('street = "Elm"', 'sreet = "Elm"', "1: unknown key 'sreet'; did you mean street?"),
        ("[kitchen]", "[kichen]", "3: unknown key 'kichen'; did you mean kitchen?"),
        ("windows = 2", "windows = -1", "5: kitchen.windows: input should be greater than or equal to 0, not -1"),
        ("windows = 2", "window = 2", "5: unknown key 'window'; did you mean windows?"),
        ('colour = "red"\n', "", "3: kitchen.colour is missing"),
        ('colour = "green"\n', "", "10: rooms.1.colour is missing"),
        ("windows = 0", "windows = 'none'", "12: rooms.1.windows: "),
        ('colour = "white"', "colour = ['white']", "15: named.attic.colour: input should be a valid string, not ['wh"),
        ('colour = "white"', 'colr = "white"', "15: unknown key 'colr'; did you mean colour?"),
        ("[named.attic]", '[named . "attic"]\nx = 1', "15: unknown key 'x'; valid: colour, windows"),
        ("[kitchen]", "[ 'kitchen' ]\nsize = 1", "4: unknown key 'size'; valid: colour, windows"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    assert before in PLAN
    path = write(tmp_path, PLAN.replace(before, after))
    with pytest.raises(UsageError, match=f"^{re.escape(f'{path}:{sentence}')}"):
        load_model(path, House)


def test_a_misspelt_key_comes_before_the_key_that_it_leaves_missing(tmp_path: Path) -> None:
    path = write(tmp_path, '[kitchen]\ncolor = "red"\n')
    with pytest.raises(UsageError, match="unknown key 'color'; did you mean colour"):
        load_model(path, House)


def test_a_number_is_not_told_to_be_quoted_where_a_string_is_not_expected(tmp_path: Path) -> None:
    path = write(tmp_path, "[kitchen]\ncolour = 'x'\nwindows = 1.5\n")
    with pytest.raises(UsageError) as told:
        load_model(path, House)
    assert "quote it" not in str(told.value)


def test_without_a_file_a_mistake_is_named_by_its_key_alone() -> None:
    with pytest.raises(UsageError, match=r"^kitchen\.colour is missing$"):
        validate_model(House, {"kitchen": {}})
    with pytest.raises(UsageError, match=r"^rooms\.0\.windows: .*, not 'two'$"):
        validate_model(House, {"rooms": [{"colour": "red", "windows": "two"}]})


def test_any_toml_file_can_be_read_without_a_model(tmp_path: Path) -> None:
    assert read_toml(write(tmp_path, PLAN))["named"] == {"attic": {"colour": "white"}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a = = 1", "not valid TOML: Invalid value (at line 1"), ("a = 1\na = 2", "not valid TOML: Cannot overwrite")],
)
def test_what_is_not_toml_is_said_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError, match=re.escape(f"{path}: {sentence}")):
        read_toml(path)


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, "a = " + "[" * 5000])
def test_a_file_that_python_refuses_to_parse_is_not_a_crash(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="not valid TOML"):
        parse_toml(tmp_path, text)


def test_the_largest_file_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    path = write(tmp_path, "#" * MAX_FILE_BYTES)
    assert len(read_limited_text(path)) == MAX_FILE_BYTES
    path.write_text("#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(UsageError, match="larger than 1 MiB, the limit for such a file"):
        read_limited_text(path)


@pytest.mark.parametrize(("value", "text"), [(3, "3"), ("x", "'x'"), ([1, 2], "[1, 2]"), (None, "None")])
def test_a_short_value_is_quoted_as_written(value: object, text: str) -> None:
    assert shorten_value(value) == text


@given(st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4), max_leaves=6))
def test_any_value_fits_a_sentence(value: object) -> None:
    text = shorten_value(value)
    assert len(text) <= 80
    assert text.isprintable()


def test_a_number_that_python_does_not_print_is_described() -> None:
    assert shorten_value(10**5000) == "a number with thousands of digits"


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        (("x",), ["street", "version", "kitchen", "rooms", "named"]),
        (("kitchen", "x"), ["colour", "windows"]),
        (("rooms", 1, "x"), ["colour", "windows"]),
        (("named", "attic", "x"), ["colour", "windows"]),
    ],
)
def test_the_valid_keys_are_those_of_the_table_in_which_the_key_stands(
    place: tuple[int | str, ...], keys: list[str]
) -> None:
    assert list_valid_keys(place, House) == keys


def test_a_type_is_walked_through_with_all_its_parts() -> None:
    parts = [*walk_annotation(dict[str, tuple[Room, ...] | None])]
    assert parts[0] == dict[str, tuple[Room, ...] | None]
    assert {str, Room, type(None)} <= {part for part in parts if isinstance(part, type)}


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("street",), 1),
        (("kitchen",), 3),
        (("kitchen", "colour"), 4),
        (("kitchen", "windows"), 5),
        (("kitchen", "missing"), 3),
        (("rooms", 0, "colour"), 8),
        (("rooms", 1, "colour"), 11),
        (("rooms", 1, "windows"), 12),
        (("rooms", 7, "colour"), 11),
        (("named", "attic"), 14),
        (("named", "attic", "colour"), 15),
        (("nowhere",), 1),
        ((), 1),
    ],
)
def test_a_key_is_found_in_its_own_table(place: tuple[int | str, ...], line: int) -> None:
    assert find_line(PLAN, place) == line


def test_a_key_of_an_inline_table_stands_on_its_line() -> None:
    text = "street = 'Elm'\n\n[named]\nattic = { colour = 1 }\n"
    assert find_line(text, ("named", "attic", "colour")) == 4


NAMES = st.text("abcd", min_size=1, max_size=3)


VALUES = st.dictionaries(NAMES, st.integers(0, 9), min_size=1, max_size=3)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=3))
def test_every_key_of_a_plain_file_is_found_on_its_own_line(tables: dict[str, dict[str, int]]) -> None:
    lines, places = [], {}
    for table, values in tables.items():
        lines.append(f"[{table}]")
        for key, value in values.items():
            lines.append(f"{key} = {value}")
            places[table, key] = len(lines)
    text = "\n".join(lines)
    assert tomllib.loads(text) == tables
    assert {place: find_line(text, place) for place in places} == places


@given(st.text(max_size=200), st.lists(st.integers(-2, 3) | st.text(max_size=5), max_size=4))
def test_some_line_of_the_file_is_named_whatever_it_holds(text: str, place: list[int | str]) -> None:
    assert 1 <= find_line(text, place) <= max(1, len(text.splitlines()))
