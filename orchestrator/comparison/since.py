"""The first run of a history: by a date, a number of days, a commit of a workload, or the version of a package."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.records import store
from orchestrator.records.timestamps import parse_timestamp
from schemas.record import Manifest

# Before any run, and for a run whose manifest has no valid time.
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

COMMIT: Final = re.compile("[0-9a-f]{7,40}")
VERSION: Final = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.+!_-]+)")

EXAMPLES: Final = "2026-01-31, a number of days such as 30d, a commit, or a version such as torch==2.13.0"


def find_since(root: Path, text: str, now: datetime) -> datetime:
    """Return the time that a user means by the start of a history.

    A commit and a version stand for the first run of the folder that has them. A date without a time is local.

    Raises:
        UsageError: it is neither, or no run has it.
    """
    if (found := parse_since(text, now)) is not None:
        return found
    if not COMMIT.fullmatch(text) and not VERSION.fullmatch(text):
        raise UsageError(f"--since {text!r} is no date; give one such as {EXAMPLES}")
    began = [parse_timestamp(each.started) or LONG_AGO for each in read_manifests(root) if has_software(each, text)]
    if not began:
        raise UsageError(f"--since {text!r}: no run in {root} has that; give a date such as {EXAMPLES}")
    return min(began)


def parse_since(text: str, now: datetime) -> datetime | None:
    """Parse an ISO 8601 date or time, or a number of days before now: `30d`; None if it is neither."""
    days = text.removesuffix("d")
    if text.endswith("d") and days.isascii() and days.isdecimal() and len(days) <= 6:
        return max(now - timedelta(days=int(days)), LONG_AGO) if int(days) < (now - LONG_AGO).days else LONG_AGO
    return parse_timestamp(text)


def read_manifests(root: Path) -> Iterator[Manifest]:
    """Yield the manifests of a folder that can be read."""
    for place in store.list_stores(root):
        with suppress(UsageError):
            yield place.read_manifest()


def has_software(manifest: Manifest, text: str) -> bool:
    """Return whether a run used a commit that begins so, or such a version of a package."""
    if asked := VERSION.fullmatch(text):
        name, version = asked["name"].lower(), asked["version"]
        return any(is_version(found, version) for found in list_versions(manifest, name))
    return any(commit.startswith(text) for commit in manifest.commits.values())


def list_versions(manifest: Manifest, name: str) -> Sequence[str]:
    """Return the versions of a package in all environments of a run."""
    every: list[Mapping[str, str]] = [each.packages for each in manifest.environments.values()]
    return [found[name] for found in (manifest.host.packages, *every) if name in found]


def is_version(found: str, asked: str) -> bool:
    """Return whether a version is the one asked for, or a part of it: `2.13` has `2.13.0` and `2.13.0+cpu`."""
    return found == asked or found.startswith((f"{asked}.", f"{asked}+"))
