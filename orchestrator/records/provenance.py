"""Identity of a run: a run resumes only with the same sweep, code, packages and machine, or numbers would mix."""

import functools
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from schemas.base import Model
from schemas.environment import EnvironmentRecord
from schemas.job import Cell
from schemas.record import TIME_NEUTRAL_FIELDS, Host, Identity, Manifest
from schemas.sweep import SweepSpec

SOURCE = Path(__file__).resolve().parents[2]
# Host fields on the orchestrator's packages, which a run's environments replace where it names any.
ORCHESTRATOR_FIELDS = ("python", "packages", "installed")

# The number of changed packages named for one environment.
MAX_NAMED_PACKAGES = 5

# The files on which a measurement depends; code that only reads records may change.
MEASURING_FILES = ("workers/**/*.py", "schemas/**/*.py")


# Settings of a sweep that are newer than the first published run, with the values that leave a run as it was.
ADDED_SETTINGS: Final[Mapping[str, Mapping[str, object]]] = {
    "timing": {"growth_calls": 0, "concurrency": []},
    "axes": {"tuning": ["none"]},
    "": {"tuning": "none"},  # of a cell
}


def make_identity(sweep: SweepSpec, seed: int, cells: Sequence[Cell], source: Path = SOURCE) -> Identity:
    """Return the identity of a run that begins now."""
    return Identity(sweep=hash_models([sweep, *cells], str(seed)), code=hash_code(source))


def hash_models(models: Sequence[Model], text: str) -> str:
    """Return the SHA-256 of these models, regardless of the order of their fields, and of where a sweep runs."""
    said = [json.dumps(dump_for_hash(model), sort_keys=True) for model in models]
    return hashlib.sha256("\n".join([text, *said]).encode()).hexdigest()


def dump_for_hash(model: Model) -> dict[str, Any]:
    """Return a model as data, without settings that an earlier version did not know and that are not used."""
    said = model.model_dump(mode="json", exclude={"cluster"})
    for name, added in ADDED_SETTINGS.items():
        table = said.get(name, {}) if name else said
        for setting, default in added.items():
            if table.get(setting, default) == default:
                table.pop(setting, None)
    return said


def hash_code(source: Path) -> str:
    """Return the SHA-256 of the names and contents of the files on which a measurement depends."""
    return hash_files(source, MEASURING_FILES)


@functools.cache
def hash_source(*patterns: str) -> str:
    """Return the same of the files of Plumbline's own source that match any of these patterns."""
    return hash_files(SOURCE, patterns)


def hash_files(source: Path, patterns: Iterable[str]) -> str:
    """Return the SHA-256 of the names and contents of the files in a folder that match any of these patterns."""
    whole = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in source.glob(pattern)):
        whole.update(f"{path.relative_to(source)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def find_changes(
    manifest: Manifest, now: Identity, host: Host, environments: Mapping[str, EnvironmentRecord]
) -> list[str]:
    """List in words what has changed since a run began; it may be resumed if nothing has."""
    before, found = manifest.identity, []
    if before is None:
        found.append("its manifest does not name the code that measured it")
    elif before.code != now.code:
        found.append("the source of workers/ or schemas/ has changed")
    if before is not None and before.sweep != now.sweep:
        found.append("the sweep in its manifest has changed")
    unlike = () if not manifest.environments else ORCHESTRATOR_FIELDS
    found += describe_differences("", select_timing_facts(manifest.host, unlike), select_timing_facts(host, unlike))
    return [*found, *find_changed_environments(manifest.environments, environments)]


def find_edited_workloads(before: Sequence[Cell], after: Sequence[Cell]) -> list[str]:
    """Return the workloads whose code has changed."""
    were = {(cell.workload, cell.code) for cell in before}
    return sorted(
        {cell.workload for cell in after if (cell.workload, cell.code) not in were} & {name for name, _ in were}
    )


def find_changed_environments(
    before: Mapping[str, EnvironmentRecord], after: Mapping[str, EnvironmentRecord]
) -> Iterator[str]:
    """Describe the changes in environments of the same name, in one sentence for each whose freeze differs.

    Environments that only one side has do not count.
    """
    for name in sorted(before.keys() & after.keys()):
        was, now = before[name], after[name]
        if was.freeze != now.freeze:
            listed = [*describe_differences("Python", was.python, now.python), *find_replaced_packages(was, now)]
            more = f" and {len(listed) - MAX_NAMED_PACKAGES} more" if len(listed) > MAX_NAMED_PACKAGES else ""
            yield (
                f"environment {name} (freeze {was.freeze} is now {now.freeze}): "
                f"{', '.join(listed[:MAX_NAMED_PACKAGES])}{more}"
            )


def find_replaced_packages(was: EnvironmentRecord, now: EnvironmentRecord) -> Iterator[str]:
    """Describe the packages that differ in version, or in their files under the same version."""
    for name in sorted({*was.packages, *now.packages}):
        if was.packages.get(name) != now.packages.get(name):
            yield from describe_differences(name, was.packages.get(name), now.packages.get(name))
        elif was.installed.get(name) != now.installed.get(name):
            yield f"{name} {now.packages[name]} has different files"


def select_timing_facts(host: Host, unlike: Collection[str] = ()) -> dict[str, Any]:
    """Return the facts about a host on which a time depends, by field name."""
    said = host.model_dump(mode="json", exclude=TIME_NEUTRAL_FIELDS)
    return {name: value for name, value in said.items() if name not in unlike}


def describe_differences(name: str, before: object, after: object) -> Iterator[str]:
    """Describe each difference, as in `torch 2.13.0 is now 2.14.0`."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from describe_differences(str(key), before.get(key), after.get(key))
    elif before != after:
        yield f"{name} {shorten_value(before)} is now {shorten_value(after)}"


def shorten_value(value: object) -> str:
    """Return a value in at most 60 characters."""
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
