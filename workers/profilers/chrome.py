"""Traces in the format of Perfetto and Chrome: one JSON object with `traceEvents`, in microseconds."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Slice:
    """An event on a track, with its start and duration in microseconds."""

    name: str
    track: str
    start_us: float
    took_us: float


def write_trace(path: Path, slices: Iterable[Slice]) -> None:
    """Write a trace with named tracks."""
    tracks: dict[str, int] = {}
    events: list[dict[str, object]] = []
    for each in slices:
        number = tracks.setdefault(each.track, len(tracks) + 1)
        events.append({"ph": "X", "pid": 1, "tid": number, "name": each.name, "ts": each.start_us, "dur": each.took_us})
    for track, number in tracks.items():
        events.append({"ph": "M", "pid": 1, "tid": number, "name": "thread_name", "args": {"name": track}})
    path.write_text(json.dumps({"traceEvents": events}))
