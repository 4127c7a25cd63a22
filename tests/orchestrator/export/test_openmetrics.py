"""The parser of Prometheus reads the OpenMetrics text."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from orchestrator.analysis.run import Run
from orchestrator.export import convert_run
from tests.orchestrator.export.conftest import MIXTURE


def test_openmetrics_is_read_by_the_parser_of_prometheus(run: Run) -> None:
    families = {
        family.name: family for family in text_string_to_metric_families(convert_run(run, "openmetrics", None).decode())
    }
    floors = families["plumbline_call_floor_seconds"]
    assert (floors.type, floors.unit) == ("gauge", "seconds")
    assert len(floors.samples) == 3
    assert floors.samples[0].value == pytest.approx(1e-6, rel=0.02)
    assert floors.samples[0].labels["parameters"] == "depth=3"
    assert families["plumbline_memory_step_peak_bytes"].samples[0].value == 54.5 * (1 << 20)
    outcomes = {sample.labels["framework"]: sample.labels["outcome"] for sample in families["plumbline_cell"].samples}
    assert outcomes == {"torch": "measured", "jax": "wrong", "numpy": "unsupported", "openvino": "raised"}
    reasons = {sample.labels["reason"] for sample in families["plumbline_cell"].samples}
    assert 'no "|" here\n=1+1' in reasons


def test_no_family_of_openmetrics_names_a_cell_that_was_not_measured(run: Run) -> None:
    for family in text_string_to_metric_families(convert_run(run, "openmetrics", None).decode()):
        if family.name not in ("plumbline_cell", "plumbline_run"):
            assert {sample.labels["framework"] for sample in family.samples} == {"torch"}


def test_a_mixed_run_is_marked_in_openmetrics_beside_its_name(run: Run, mixed: Run) -> None:
    marks = []
    for each in (run, mixed):
        text = convert_run(each, "openmetrics", None).decode()
        (about,) = (family for family in text_string_to_metric_families(text) if family.name == "plumbline_run")
        marks.append(about.samples[0].labels.get("mixed"))
    assert marks == [None, MIXTURE]
