"""A sweep file: TOML in, SweepSpec out, and for every mistake the file, the line and the key."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.errors import UsageError, unknown
from schemas.sweep import SweepSpec
from schemas.workloads import SUITES

LARGEST = 1 << 20
Place = Sequence[int | str]


def load(path: Path) -> dict[str, Any]:
    """Read a sweep file, and check that it is one.

    Raises:
        UsageError: it cannot be read, is no TOML, or says something that no sweep can do.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise UsageError(f"{path}: larger than {LARGEST >> 20} MiB, which no sweep file is")
    try:
        text = raw.decode()
        said = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text file in UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a plain ValueError
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    validate(said, lambda place: f"{path}:{line_of(text, place)}: ")
    return said


def validate(said: Mapping[str, Any], where: Callable[[Place], str] | None = None) -> SweepSpec:
    """Make a SweepSpec of what was said, in a file or with options.

    Raises:
        UsageError: a key does not exist, or a value is none that it can have.
    """
    try:
        return SweepSpec.model_validate(with_suite(said))
    except ValidationError as error:
        first = error.errors()[0]
        place = first["loc"]
        key = ".".join(map(str, place))
        if first["type"] == "extra_forbidden":
            sentence = str(unknown("key", str(place[-1]), keys_beside(place)))
        else:
            why = first["msg"].removeprefix("Value error, ")
            sentence = f"{key}: {why[0].lower()}{why[1:]}, not {brief(first['input'])}"
        raise UsageError(f"{where(place) if where else ''}{sentence}") from error


def with_suite(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was said, and where nothing was, what the suite says that it names.

    Raises:
        UsageError: there is no such suite.
    """
    name = said.get("suite")
    if not isinstance(name, str):
        return said
    suites = {suite.name: suite for suite in SUITES}
    if name not in suites:
        raise unknown("suite", name, suites)
    suite = suites[name]
    own, stop = said.get("axes", {}), said.get("stop", {})
    if not isinstance(own, Mapping) or not isinstance(stop, Mapping):
        return said
    axes = {"frameworks": suite.frameworks, "workloads": suite.workloads, "tasks": suite.tasks, **own}
    return {**said, "axes": axes, "stop": {"budget": suite.budget, **stop}}


def brief(value: object) -> str:
    """A value as it was written, as far as it fits a sentence."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def keys_beside(place: Place) -> list[str]:
    """The keys that are valid where this one stands."""
    model: Any = SweepSpec
    for step in place[:-1]:
        if isinstance(step, str):
            annotation = model.model_fields[step].annotation
            model = annotation if hasattr(annotation, "model_fields") else annotation.__args__[0]
    return list(model.model_fields)


def line_of(text: str, place: Place) -> int:
    """The line of a key in a TOML text, as far as its plain form allows; otherwise that of its table."""
    names = [step for step in place if isinstance(step, str)]
    index = next((step for step in place if isinstance(step, int)), 0)
    lines = text.splitlines()
    headers = [number for number, line in enumerate(lines) if re.match(rf"\s*\[+\s*{re.escape(names[0])}\s*\]", line)]
    start = headers[min(index, len(headers) - 1)] if headers else 0
    if headers and len(names) == 1:
        return start + 1
    for number in range(start, len(lines)):
        if re.match(rf"\s*['\"]?{re.escape(names[-1])}['\"]?\s*=", lines[number]):
            return number + 1
    return start + 1
