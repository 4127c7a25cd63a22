"""The schedule of a run as trace events."""

import json
from itertools import pairwise
from typing import Any

import pytest

from orchestrator.analysis.run import Run
from tests.orchestrator.export.conftest import MIXTURE
from tests.orchestrator.export.documents import document


def test_perfetto_has_a_track_for_each_framework_with_jobs_and_phases_within_them(run: Run) -> None:
    trace = document(run, "perfetto")
    events = trace["traceEvents"]
    tracks = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert sorted(tracks.values()) == ["jax", "openvino", "torch"]
    slices = [event for event in events if event["ph"] == "X"]
    assert all(event["dur"] >= 0 and event["ts"] >= 0 and event["tid"] in tracks for event in slices)
    jobs = [event for event in slices if event["cat"] == "job"]
    assert len(jobs) == len(run.records) - 1
    assert json.dumps(trace)
    for job in jobs:
        own = slices[slices.index(job) + 1 :][: slices_within(slices, job)]
        assert all(inside(phase, job) for phase in own)
        assert all(one["ts"] + one["dur"] == pytest.approx(next_["ts"]) for one, next_ in pairwise(own))


def slices_within(slices: list[dict[str, Any]], job: dict[str, Any]) -> int:
    """Count the phases between a job and the next one."""
    after = [event["cat"] for event in slices[slices.index(job) + 1 :]]
    return after.index("job") if "job" in after else len(after)


def inside(event: dict[str, Any], job: dict[str, Any]) -> bool:
    starts, ends = job["ts"] - 1e-6, job["ts"] + job["dur"] + 1e-6
    return bool(event["tid"] == job["tid"] and starts <= event["ts"] and event["ts"] + event["dur"] <= ends)


def test_only_a_job_that_counts_has_a_time_per_call_in_perfetto(run: Run) -> None:
    jobs = [event["args"] for event in document(run, "perfetto")["traceEvents"] if event.get("cat") == "job"]
    timed = {job["job"].split("-")[1] for job in jobs if "floor_ns" in job}
    assert timed == {"torch"}
    assert {job["outcome"] for job in jobs} == {"measured", "killed", "wrong", "raised"}


def test_a_mixed_run_is_marked_in_perfetto_on_its_track(run: Run, mixed: Run) -> None:
    for each, mark, parts in ((run, "", []), (mixed, "MIXED: ", [MIXTURE])):
        trace = document(each, "perfetto")
        (process,) = (event for event in trace["traceEvents"] if event["name"] == "process_name")
        assert process["args"]["name"] == f"{mark}{run.name}"
        assert trace["otherData"]["mixed"] == parts
