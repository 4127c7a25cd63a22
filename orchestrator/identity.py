"""What a run must still be when it is resumed: the same sweep, code, packages and machine, or numbers would mix."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.base import Model
from schemas.job import Cell
from schemas.record import UNFELT, Host, Identity, Manifest
from schemas.sweep import SweepSpec

SOURCE = Path(__file__).resolve().parents[1]
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


def changes(manifest: Manifest, now: Identity, host: Host) -> list[str]:
    """What is not as it was when a run began, each in words; nothing, if it may be resumed."""
    before, found = manifest.identity, []
    if before is None:
        found.append("it does not say which code measured it")
    elif before.code != now.code:
        found.append("the source of workers/ or schemas/ has changed")
    if before is not None and before.sweep != now.sweep:
        found.append("the sweep in its manifest has changed")
    return [*found, *differences("", felt(manifest.host), felt(host))]


def edited(before: Sequence[Cell], after: Sequence[Cell]) -> list[str]:
    """The workloads whose code is not what it was."""
    were = {(cell.workload, cell.code) for cell in before}
    return sorted(
        {cell.workload for cell in after if (cell.workload, cell.code) not in were} & {name for name, _ in were}
    )


def felt(host: Host) -> dict[str, Any]:
    """What a time depends on."""
    return host.model_dump(mode="json", exclude=UNFELT)


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
