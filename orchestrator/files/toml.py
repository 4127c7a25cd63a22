"""TOML files that users write, checked against a model; each error names its line."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_origin

from pydantic import ValidationError

from orchestrator.errors import UsageError, unknown_name_error
from schemas.base import Model

MAX_FILE_BYTES = 1 << 20


KeyPath = Sequence[int | str]


M = TypeVar("M", bound=Model)


def load_model(path: Path, model: type[M]) -> M:
    """Load any of this project's TOML files as its model, with the same errors."""
    text = read_limited_text(path)
    return validate_model(model, parse_toml(path, text), lambda place: f"{path}:{find_line(text, place)}: ")


def read_toml(path: Path) -> dict[str, Any]:
    """Read any TOML file.

    Raises:
        UsageError: it cannot be read, or is not TOML.
    """
    return parse_toml(path, read_limited_text(path))


def read_limited_text(path: Path) -> str:
    """Read a text file, unless it is too large for this project."""
    try:
        with path.open("rb") as file:
            # One more byte than allowed tells the excess, however large the file.
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise UsageError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB, the limit for such a file")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text file in UTF-8 (byte {error.start})") from error


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """Parse a TOML text into its tables and values."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number with thousands of digits is a plain ValueError
        raise UsageError(f"{path}: not valid TOML: {error}") from error


def validate_model(model: type[M], said: Mapping[str, Any], where: Callable[[KeyPath], str] | None = None) -> M:
    """Make any model from parsed content, with the same errors."""
    try:
        return model.model_validate(said)
    except ValidationError as error:
        # An unknown key comes first: a misspelt one also makes its right name seem to be missing.
        first = next((each for each in error.errors() if each["type"] == "extra_forbidden"), error.errors()[0])
        place = first["loc"]
        key = ".".join(map(str, place))
        if first["type"] == "extra_forbidden":
            sentence = str(unknown_name_error("key", str(place[-1]), list_valid_keys(place, model)))
        elif first["type"] == "missing":
            sentence, place = f"{key} is missing", place[:-1]
        else:
            why = first["msg"].removeprefix("Value error, ")
            sentence = f"{key}: {why[0].lower()}{why[1:]}, not {shorten_value(first['input'])}{suggest_quotes(first)}"
        raise UsageError(f"{where(place) if where else ''}{sentence}") from error


def suggest_quotes(error: Mapping[str, Any]) -> str:
    """Return advice for a version that was read as a number; empty for any other mistake."""
    is_number = isinstance(error["input"], int | float) and not isinstance(error["input"], bool)
    return "; quote it: without quotes 2.10 is the number 2.1" if error["type"] == "string_type" and is_number else ""


def shorten_value(value: object) -> str:
    """Return a value as written, shortened to fit a sentence."""
    # Python refuses to print such a number, as a protection against long computations.
    try:
        text = repr(value)
    except ValueError:
        return "a number with thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def list_valid_keys(place: KeyPath, model: type[Model]) -> list[str]:
    """Return the keys that are valid at the place of this one."""
    here: Any = model
    steps = iter(place[:-1])
    for step in steps:
        if isinstance(step, str) and step in here.model_fields:
            parts = [*walk_annotation(here.model_fields[step].annotation)]
            here = next(filter(is_model_type, parts))
            if any(get_origin(part) is dict for part in parts):
                next(steps, None)  # a name that the user chose
    return list(here.model_fields)


def walk_annotation(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 (a type as the typing module has it)
    """Yield a type and the types that it consists of."""
    yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from walk_annotation(part)


def is_model_type(annotation: object) -> bool:
    """Return True if a type is a model, and not a list or a table of models."""
    return isinstance(annotation, type) and issubclass(annotation, Model)


def find_line(text: str, place: KeyPath) -> int:
    """Return the line of a key in a TOML text, if its form is plain; otherwise that of its table."""
    # tomllib keeps no positions, so the key is searched for in the text.
    names = [step for step in place if isinstance(step, str)]
    index = next((step for step in place if isinstance(step, int)), 0)
    lines = text.splitlines()
    depth, header = find_header(lines, names, index)
    # The keys of an inline table stand on its line.
    found = (find_key(lines, name, header) for name in reversed(names[depth:]))
    return 1 + next((line for line in found if line is not None), header)


def find_header(lines: Sequence[str], names: Sequence[str], index: int) -> tuple[int, int]:
    """Find the header of the innermost table on a path; `index` tells tables of one name apart.

    Return the number of names in it, and its line, from 0; without a header, 0 and the first line.
    """
    for depth in range(len(names), 0, -1):
        table = r"\s*\.\s*".join(map(make_name_pattern, names[:depth]))
        headers = [number for number, line in enumerate(lines) if re.match(rf"\s*\[+\s*{table}\s*\]", line)]
        if headers:
            return depth, headers[min(index, len(headers) - 1)]
    return 0, 0


def find_key(lines: Sequence[str], name: str, start: int) -> int | None:
    """Return the first line from `start` on that begins with this key."""
    key = re.compile(rf"\s*{make_name_pattern(name)}\s*=")
    return next((number for number in range(start, len(lines)) if key.match(lines[number])), None)


def make_name_pattern(name: str) -> str:
    """Return a pattern of a name, with or without quotes."""
    return rf"['\"]?{re.escape(name)}['\"]?"
