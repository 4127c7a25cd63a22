"""Workload folders with code of a test, and the reading of what their jobs came to."""

from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.execution.classify import classify_report
from orchestrator.records.outcomes import ACCUSATIONS
from orchestrator.registry.workloads import load_workload_folder
from schemas.event import Event, Failure, Report
from schemas.workloads import Workload

# A cell with one weight, whose forward pass the text of an expression computes in NumPy from `x` and `w`.
REFERENCE = """
    import numpy as np
    def weights(parameters, rng): return {{"w": 1 + 0.1 * rng.standard_normal(({width},))}}
    def shapes(parameters, batch): return (((64, {width}),),)
    def inputs(parameters, rng, shapes): return tuple(rng.standard_normal(shape) for shape in shapes)
    def forward(parameters, weights, x):
        w = weights["w"]
        return {forward}
"""


def write_workload(
    folder: Path, framework: str, code: str, *, forward: str = "np.tanh(x * w)", width: int = 64
) -> Workload:
    """Write a workload with this implementation for a framework; skip the test if the framework is not installed."""
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    folder.mkdir(exist_ok=True)
    folder.joinpath("workload.toml").write_text('summary = "written by a test"')
    folder.joinpath("reference.py").write_text(dedent(REFERENCE).format(forward=forward, width=width))
    folder.joinpath(f"{framework}.py").write_text(dedent(code))
    return load_workload_folder(folder)


def explain(last: Event) -> str:
    """Return why a job is not measured; empty if it is, or if its times alone accuse it, which need a quiet machine."""
    if isinstance(last, Report):
        found = classify_report(last, last.ceiling)
        return "" if found.outcome in ("measured", *ACCUSATIONS) else f"{found.outcome}: {found.reason}"
    assert isinstance(last, Failure), last
    return last.reason
