"""Traces in Chrome's format."""

import json
from pathlib import Path

from workers.profilers import chrome


def test_a_trace_has_a_named_track_for_each_name(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    chrome.write_trace(path, [chrome.Slice("a", "one", 1.0, 2.0), chrome.Slice("b", "two", 3.0, 4.0)])
    events = json.loads(path.read_text())["traceEvents"]
    tracks = {event["args"]["name"]: event["tid"] for event in events if event["ph"] == "M"}
    assert {(event["name"], event["tid"], event["ts"], event["dur"]) for event in events if event["ph"] == "X"} == {
        ("a", tracks["one"], 1.0, 2.0),
        ("b", tracks["two"], 3.0, 4.0),
    }
