"""The nodes of a run, from its records."""

from collections.abc import Callable

from orchestrator.records.nodes import list_nodes
from schemas.record import JobRecord, Placement
from tests.orchestrator.conftest import a_cell

MakeRecord = Callable[..., JobRecord]


def test_a_run_on_one_machine_has_no_nodes(make_record: MakeRecord) -> None:
    assert list_nodes([make_record()]) == []


def test_nodes_are_listed_once_in_the_order_of_their_first_records(make_record: MakeRecord) -> None:
    records = [
        make_record(cell, block, placement=Placement(node=node, share=share, attempt=1))
        for block, node, share in ((1, "b", 1), (2, "b", 1), (3, "a", 2), (4, "b", 3))
        for cell in (a_cell("numpy:eager"), a_cell("synthetic:spin"))
    ]
    assert list_nodes(records) == ["b", "a"]
