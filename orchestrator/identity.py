"""What a run must still be when it is resumed: the same sweep, code, packages and machine, or numbers would mix."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.base import Model
from schemas.environment import EnvironmentRecord
from schemas.job import Cell
from schemas.record import UNFELT, Host, Identity, Manifest
from schemas.sweep import SweepSpec

SOURCE = Path(__file__).resolve().parents[1]
BESIDE = ("python", "packages", "installed")
"""Of a host: what is installed beside the orchestrator, which a run's environments say better where it names them."""

MOST = 5
"""Packages that are named of one environment."""

MEASURING = ("workers/**/*.py", "schemas/**/*.py")
"""The files on which a measurement depends; what only looks at records may change."""


def of(sweep: SweepSpec, seed: int, cells: Sequence[Cell], source: Path = SOURCE) -> Identity:
    """The identity of a run that begins now."""
    return Identity(sweep=digest([sweep, *cells], str(seed)), code=code(source))


def digest(models: Sequence[Model], text: str) -> str:
    """SHA-256 of what these say, whatever the order in which they say it."""
    said = [json.dumps(model.model_dump(mode="json"), sort_keys=True) for model in models]
    return hashlib.sha256("\n".join([text, *said]).encode()).hexdigest()


def code(source: Path) -> str:
    """SHA-256 of the names and contents of the files that measure."""
    whole = hashlib.sha256()
    for path in sorted(path for pattern in MEASURING for path in source.glob(pattern)):
        whole.update(f"{path.relative_to(source)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def changes(manifest: Manifest, now: Identity, host: Host, environments: Mapping[str, EnvironmentRecord]) -> list[str]:
    """What is not as it was when a run began, each in words; nothing, if it may be resumed."""
    before, found = manifest.identity, []
    if before is None:
        found.append("it does not say which code measured it")
    elif before.code != now.code:
        found.append("the source of workers/ or schemas/ has changed")
    if before is not None and before.sweep != now.sweep:
        found.append("the sweep in its manifest has changed")
    unlike = () if not manifest.environments else BESIDE
    found += differences("", felt(manifest.host, unlike), felt(host, unlike))
    return [*found, *changed(manifest.environments, environments)]


def edited(before: Sequence[Cell], after: Sequence[Cell]) -> list[str]:
    """The workloads whose code is not what it was."""
    were = {(cell.workload, cell.code) for cell in before}
    return sorted(
        {cell.workload for cell in after if (cell.workload, cell.code) not in were} & {name for name, _ in were}
    )


def changed(before: Mapping[str, EnvironmentRecord], after: Mapping[str, EnvironmentRecord]) -> Iterator[str]:
    """What is not the same in environments of the same name, one sentence for each that has another freeze.

    Environments that only one side has are no change.
    """
    for name in sorted(before.keys() & after.keys()):
        was, now = before[name], after[name]
        if was.freeze != now.freeze:
            listed = [*differences("Python", was.python, now.python), *replaced(was, now)]
            more = f" and {len(listed) - MOST} more" if len(listed) > MOST else ""
            yield f"environment {name} (freeze {was.freeze} is now {now.freeze}): {', '.join(listed[:MOST])}{more}"


def replaced(was: EnvironmentRecord, now: EnvironmentRecord) -> Iterator[str]:
    """The packages that are not the same: of another version, or of other files that call themselves the same."""
    for name in sorted({*was.packages, *now.packages}):
        if was.packages.get(name) != now.packages.get(name):
            yield from differences(name, was.packages.get(name), now.packages.get(name))
        elif was.installed.get(name) != now.installed.get(name):
            yield f"{name} {now.packages[name]} has other files"


def felt(host: Host, unlike: Collection[str] = ()) -> dict[str, Any]:
    """What a time depends on."""
    said = host.model_dump(mode="json", exclude=UNFELT)
    return {name: value for name, value in said.items() if name not in unlike}


def differences(name: str, before: object, after: object) -> Iterator[str]:
    """`torch 2.13.0 is now 2.14.0`, for whatever differs."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from differences(str(key), before.get(key), after.get(key))
    elif before != after:
        yield f"{name} {shown(before)} is now {shown(after)}"


def shown(value: object) -> str:
    """A value in few characters."""
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
