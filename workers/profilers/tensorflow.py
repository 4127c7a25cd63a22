"""TensorFlow's profiler, whose planes and lines become processes and tracks; and what its graphs consist of."""

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from workers.profilers import CALLS, Counts, chrome

EAGER = "EagerLocalExecute: "
NODE = re.compile(r"[\w./-]*:_?[A-Z]\w*")
"""A node of a graph as the executor tells it: its name and its operation."""

FUSION = " fusion("


def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
    """Dispatches are what Python asked of the eager runtime, graph operations what the executor of a graph ran."""
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        calls()
        tf.profiler.experimental.stop()
        (file,) = Path(folder).rglob("*.xplane.pb")
        slices = list(read(file.read_bytes()))
    chrome.write(path, slices)
    eager = sum(each.name.startswith(EAGER) for each in slices)
    nodes = sum(bool(NODE.fullmatch(each.name)) for each in slices)
    counted = {"dispatches": eager / CALLS, "graph operations": nodes / CALLS}
    counts: Counts = {name: count for name, count in counted.items() if count}
    if framework.by_xla:
        text = framework.prepared.experimental_get_compiler_ir(*example)(stage="optimized_hlo")
        counts |= {"instructions": text.count(" = "), "fused groups": text.count(FUSION)}
    return counts


def read(raw: bytes) -> Iterator[chrome.Slice]:
    """Every event of a profile."""
    space = xplane_pb2.XSpace()
    space.ParseFromString(raw)
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                start_us = line.timestamp_ns / 1e3 + event.offset_ps / 1e6
                name = plane.event_metadata[event.metadata_id].name
                yield chrome.Slice(name, line.display_name or line.name, start_us, event.duration_ps / 1e6)
