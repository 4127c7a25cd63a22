"""Profiler for TensorFlow: its lines become tracks, and its graphs and XLA programs give further counts."""

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from workers.profilers import PROFILED_CALLS, Counts, chrome

EAGER_PREFIX = "EagerLocalExecute: "

# Trace events of graph nodes are named `name:Operation`.
NODE_EVENT = re.compile(r"[\w./-]*:_?[A-Z]\w*")

FUSION = " fusion("


def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
    """Count dispatches, which Python requests of the eager runtime, and graph operations, which an executor runs."""
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        calls()
        tf.profiler.experimental.stop()
        (file,) = Path(folder).rglob("*.xplane.pb")
        slices = list(read_slices(file.read_bytes()))
    chrome.write_trace(path, slices)
    eager = sum(each.name.startswith(EAGER_PREFIX) for each in slices)
    nodes = sum(bool(NODE_EVENT.fullmatch(each.name)) for each in slices)
    counted = {"dispatches": eager / PROFILED_CALLS, "graph operations": nodes / PROFILED_CALLS}
    counts: Counts = {name: count for name, count in counted.items() if count}
    if framework.by_xla:
        text = framework.prepared.experimental_get_compiler_ir(*example)(stage="optimized_hlo")
        counts |= {"instructions": text.count(" = "), "fused groups": text.count(FUSION)}
    return counts


def read_slices(raw: bytes) -> Iterator[chrome.Slice]:
    """Yield every event of a serialised profile."""
    space = xplane_pb2.XSpace()
    space.ParseFromString(raw)
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                start_us = line.timestamp_ns / 1e3 + event.offset_ps / 1e6
                name = plane.event_metadata[event.metadata_id].name
                yield chrome.Slice(name, line.display_name or line.name, start_us, event.duration_ps / 1e6)
