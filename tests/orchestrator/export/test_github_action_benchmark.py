"""JSON for github-action-benchmark."""

import re

from orchestrator.analysis.run import Run
from tests.orchestrator.export.documents import MEASURED, document, labels


def test_github_action_benchmark_has_what_its_reader_takes(run: Run) -> None:
    found = document(run, "github-action-benchmark")
    assert labels([entry["name"] for entry in found if entry["unit"] == "ns"]) == MEASURED
    for entry in found:
        assert set(entry) == {"name", "unit", "value", "range", "extra"}
        assert isinstance(entry["value"], float)
        assert re.fullmatch(r"± \d.+", entry["range"])  # its reader's pattern for ranges
        assert "machine" in entry["extra"]
    assert len({entry["name"] for entry in found}) == len(found)
