"""A conclusion has the ranks, verdicts and ratios of the analysis, with six digits."""

from pathlib import Path

import pytest

from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.errors import UsageError
from orchestrator.export.publication.conclusion import describe_publication, name_folder, read_start, round_interval
from orchestrator.records.store import Store
from schemas.machine_type import identify_type
from tests.orchestrator.conftest import HOST
from tests.orchestrator.export.publication.forging import read_publication


def test_the_conclusion_is_that_of_the_run(published: Path) -> None:
    run, stated = Run.from_store(Store(published)), read_publication(published)
    (group,), (found,) = stated.groups, run.groups
    assert group.title == found.title == "mlp backward (depth=3), batch 1, float32, 1 thread, cpu"
    assert [(each.label, each.outcome, each.processes) for each in group.cells] == [
        (each.label, each.outcome, each.jobs) for each in found.results
    ]
    for said, comparison in zip(group.comparisons, found.comparisons, strict=True):
        interval = comparison.undisturbed or comparison.ratio
        assert said.ratio.estimate == pytest.approx(interval.estimate, rel=1e-5)
        assert (said.verdict, said.blocks) == (str(comparison.verdict), comparison.blocks)
    assert group.clone is not None
    assert group.clone.verdict == "EQUIVALENT"


def test_the_machine_is_that_of_the_manifest(published: Path) -> None:
    stated = read_publication(published)
    assert stated.machine_type == identify_type(HOST)
    assert (stated.machine, stated.fingerprint) == (identify_type(HOST).content_hash, HOST.content_hash)
    assert name_folder(stated) == published.name


def test_what_the_data_do_not_support_is_null() -> None:
    nothing = round_interval(Interval(float("nan"), 0.0, float("inf")))
    assert (nothing.estimate, nothing.low, nothing.high) == (None, None, None)
    some = round_interval(Interval(1.23456789, 1.0, 2.0))
    assert (some.estimate, some.low, some.high) == (1.23457, 1.0, 2.0)


def test_a_run_without_a_start_has_no_description(published: Path) -> None:
    run = Run.from_store(Store(published))
    unknown = Run(name="x", manifest=run.manifest.model_copy(update={"started": ""}), records=run.records)
    with pytest.raises(UsageError, match="does not say when it began"):
        describe_publication(unknown, {})
    with pytest.raises(UsageError, match="'' is not a time"):
        read_start(read_publication(published).model_copy(update={"started": ""}))
