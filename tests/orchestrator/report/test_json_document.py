import json
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from orchestrator.report.json_document import build_run_document
from schemas.base import SCHEMA_VERSION
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_manifest, a_run

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]
Document = Callable[[list[JobRecord], list[Cell]], dict[str, Any]]


def refuse(constant: str) -> NoReturn:
    pytest.fail(f"{constant} is not JSON")


@pytest.fixture
def read() -> Document:
    """Return a maker of documents, read back by a strict reader of JSON."""

    def make(records: list[JobRecord], cells: list[Cell]) -> dict[str, Any]:
        said = build_run_document(a_run(a_manifest(cells), records))
        read: dict[str, Any] = json.loads(json.dumps(said, allow_nan=False), parse_constant=refuse)
        return read

    return make


def test_a_finished_run_is_all_there(read: Document, make_cell: MakeCell, make_records: MakeRecords) -> None:
    slow, fast = make_cell("numpy:eager"), make_cell("synthetic:spin")
    twin = slow.model_copy(update={"replica": 1})
    said = read(make_records([(slow, 2000), (fast, 1000), (twin, 2000)]), [slow, fast, twin])
    assert (said["schema_version"], said["run"]) == (SCHEMA_VERSION, "a-run")
    (group,) = said["groups"]
    cells = {each["id"]: each for each in group["cells"]}
    assert [cells[cell.id]["rank"] for cell in (slow, fast, twin)] == [[2, 2], [1, 1], None]
    assert cells[fast.id]["jobs"] == 12
    assert cells[fast.id]["floor_ns"]["low"] < 1010 < cells[slow.id]["floor_ns"]["estimate"]
    (comparison,) = group["comparisons"]
    assert (comparison["baseline"], comparison["cell"]) == ("numpy:eager", "synthetic:spin")
    assert (comparison["verdict"], comparison["reason"]) == ("FASTER", "")
    assert cells[fast.id]["allocation"] is None
    assert group["clone"]["cell"] == "numpy:eager (A/A)"
    assert group["sentences"]


def test_what_the_data_do_not_support_is_null(read: Document, make_cell: MakeCell, make_record: MakeRecord) -> None:
    one, other, failed = make_cell("numpy:eager"), make_cell("synthetic:spin"), make_cell("synthetic:raise")
    records = [make_record(one), make_record(other), make_record(failed, outcome="raised")]
    (group,) = read(records, [one, other, failed])["groups"]
    assert group["comparisons"][0]["ratio"]["low"] is None
    assert group["comparisons"][0]["ratio"]["high"] is None
    assert group["cells"][2]["floor_ns"] == {"estimate": None, "low": None, "high": None}
    assert (group["cells"][2]["outcome"], group["cells"][2]["reason"]) == ("raised", "because it was raised")


def test_a_run_without_any_record_is_a_document_too(read: Document, make_cell: MakeCell) -> None:
    (group,) = read([], [make_cell()])["groups"]
    assert group["cells"][0]["outcome"] is None
    assert group["clone"] is None
