"""Bencher Metric Format."""

from pathlib import Path

import jsonschema

from orchestrator.analysis.run import Run
from orchestrator.api import load
from orchestrator.export import convert_run, list_advice
from tests.orchestrator.export.documents import MEASURED, document, labels
from tests.orchestrator.export.test_documents import BENCHER


def test_bencher_has_each_measured_cell_with_its_interval(run: Run) -> None:
    found = document(run, "bencher")
    jsonschema.validate(found, BENCHER)
    assert labels(list(found)) == MEASURED
    latency = next(iter(found.values()))["latency"]
    assert latency["lower_value"] < latency["value"] < latency["upper_value"] < 1100
    assert next(iter(found.values()))["memory-step-peak"]["value"] == 54.5 * (1 << 20)


def test_the_testbed_that_keeps_machine_types_apart_is_named(run: Run) -> None:
    (said,) = list_advice(run, "bencher")
    assert f"--testbed {run.machine_type.content_hash}" in said
    assert list_advice(run, "csv") == []


def test_an_interval_without_ends_is_exported_without_them(other: Run, tmp_path: Path) -> None:
    few = load(other.name, tmp_path / "runs")
    for name in ("bencher", "github-action-benchmark"):
        assert "Infinity" not in convert_run(few, name, None).decode()
