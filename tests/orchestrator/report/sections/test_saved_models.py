"""Reports of models that were saved and loaded again."""

import io
import json
from collections.abc import Callable

from rich.console import Console

from orchestrator.analysis import groups
from orchestrator.analysis.results import Group
from orchestrator.report.json_document import group_to_dict
from orchestrator.report.sections import saved_models
from schemas.event import Report
from schemas.job import Cell, JobSpec
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeSpec = Callable[..., JobSpec]
MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]

MS = 1_000_000
FILE = {"path": "/x/y.pt", "sha256": "ab", "size_bytes": 40 << 10, "written_ns": 7 * MS}


def a_group(cell: Cell, make_spec: MakeSpec, make_record: MakeRecord, make_report: MakeReport) -> Group:
    """Return a group of one cell that loads a file in 20 to 27 ms."""
    records = []
    for block in range(1, 9):
        phases = [{"name": "load", "wall_ns": (19 + block) * MS, "cpu_ns": 0}]
        spec = make_spec(cell, block, artefact=FILE)
        records.append(make_record(cell, block, spec=spec, result=make_report(1000, phases=phases)))
    (group,) = groups.group_results(records, [cell])
    return group


def test_a_file_is_told_with_its_size_and_the_times_to_write_and_to_load_it(
    make_cell: MakeCell, make_spec: MakeSpec, make_record: MakeRecord, make_report: MakeReport
) -> None:
    group = a_group(make_cell("torch:script", origin="file"), make_spec, make_record, make_report)
    assert list(saved_models.describe_portability(group)) == [
        "torch:script computes the same from its TorchScript file (40.0 KiB), without the model's source; loading "
        "takes 23.5 ms."
    ]
    console = Console(file=io.StringIO(), width=80)
    for drawn in saved_models.build_tables(group):
        console.print(drawn)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(words in text for words in ("TorchScript file", "40.0 KiB", "7.00 ms", "23.5 ms"))
    assert all(len(line) <= 80 for line in text.splitlines())
    cells = json.loads(json.dumps(group_to_dict(group), allow_nan=False))["cells"]
    assert cells[0]["portable"] == {"size_bytes": 40 << 10, "save_ns": 7 * MS, "load_ns": 23.5 * MS}


def test_of_what_is_built_from_source_there_is_nothing_to_tell(
    make_cell: MakeCell, make_spec: MakeSpec, make_record: MakeRecord, make_report: MakeReport
) -> None:
    group = a_group(make_cell("onnxruntime:session"), make_spec, make_record, make_report)
    assert list(saved_models.describe_portability(group)) == []
    assert list(saved_models.build_tables(group)) == []
    assert group_to_dict(group)["cells"][0]["portable"] is None


def test_of_a_file_that_holds_code_nothing_says_that_the_source_is_spared(
    make_cell: MakeCell, make_spec: MakeSpec, make_record: MakeRecord, make_report: MakeReport
) -> None:
    titles = dict[str, str]()
    for mode in ("torch:compile", "torch:script"):
        group = a_group(make_cell(mode, origin="file"), make_spec, make_record, make_report)
        (drawn,) = saved_models.build_tables(group)
        titles[mode] = str(drawn.title)
        if mode == "torch:compile":
            assert list(saved_models.describe_portability(group)) == [
                "torch:compile computes the same from its Inductor caches (40.0 KiB), beside the model's source; "
                "loading takes 23.5 ms."
            ]
    assert "without the model's source" not in titles["torch:compile"]
    assert "without the model's source" in titles["torch:script"]
