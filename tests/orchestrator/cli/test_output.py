"""Output of commands: one document that commands no terminal, and lines that are printed as they are."""

import io
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from orchestrator.cli.output import print_json, print_line

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_a_document_is_read_back_as_it_was_and_commands_no_terminal(
    capsys: pytest.CaptureFixture[str], value: object
) -> None:
    print_json(value)
    text = capsys.readouterr().out
    assert json.loads(text) == value
    assert all(character.isprintable() or character == "\n" for character in text)


def test_letters_beyond_ascii_are_printed_as_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Größe 日本"})
    assert "Größe 日本" in capsys.readouterr().out


@pytest.mark.parametrize("character", ["\x1b", "\x9b", "\u202e", "\u2028", "\x7f"])
def test_characters_that_a_terminal_would_obey_are_escaped(capsys: pytest.CaptureFixture[str], character: str) -> None:
    print_json([character])
    assert character not in capsys.readouterr().out


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_lacks_is_an_error_of_the_program(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"x": value})


@pytest.mark.parametrize(
    ("line", "printed"),
    [("", ""), ("plain", "plain\n"), ("[bold]kept[/bold] 12", "[bold]kept[/bold] 12\n"), ("x" * 200, "x" * 200 + "\n")],
)
def test_a_line_is_printed_as_it_is_and_an_empty_one_not_at_all(line: str, printed: str) -> None:
    console = Console(file=io.StringIO(), width=40, color_system=None)
    print_line(console, line)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == printed


@pytest.mark.parametrize(
    ("terminal", "lines"), [(True, ["nine and", "twenty", "blocks"]), (False, ["nine and twenty blocks"])]
)
def test_a_line_is_broken_between_words_on_a_terminal_and_whole_elsewhere(terminal: bool, lines: list[str]) -> None:
    console = Console(file=io.StringIO(), width=9, force_terminal=terminal, color_system=None)
    print_line(console, "nine and twenty blocks")
    assert isinstance(console.file, io.StringIO)
    assert [line.rstrip() for line in console.file.getvalue().splitlines()] == lines
