"""The nodes of a run, their blocks and their types, from its records."""

from collections.abc import Callable

from orchestrator.records.nodes import (
    find_hosts,
    group_nodes_by_type,
    list_nodes,
    map_blocks_to_nodes,
    map_blocks_to_shares,
)
from schemas.record import Host, JobRecord, Placement
from tests.orchestrator.conftest import HOST, a_cell

MakeRecord = Callable[..., JobRecord]


def make_placed(make_record: MakeRecord, *placed: tuple[int, str, int], host: Host = HOST) -> list[JobRecord]:
    return [
        make_record(cell, block, placement=Placement(node=node, share=share, attempt=1), host=host)
        for block, node, share in placed
        for cell in (a_cell("numpy:eager"), a_cell("synthetic:spin"))
    ]


def test_a_run_on_one_machine_has_no_nodes(make_record: MakeRecord) -> None:
    records = [make_record()]
    assert (list_nodes(records), map_blocks_to_nodes(records), find_hosts(records)) == ([], {}, {})


def test_each_block_has_its_node_and_share(make_record: MakeRecord) -> None:
    records = make_placed(make_record, (1, "b", 1), (2, "b", 1), (3, "a", 2), (4, "b", 3))
    assert list_nodes(records) == ["b", "a"]
    assert map_blocks_to_nodes(records) == {1: "b", 2: "b", 3: "a", 4: "b"}
    assert map_blocks_to_shares(records) == {1: 1, 2: 1, 3: 2, 4: 3}


def test_nodes_are_grouped_by_the_type_of_their_machine(make_record: MakeRecord) -> None:
    other = HOST.model_copy(update={"cpu": "another CPU"})
    records = make_placed(make_record, (1, "a", 1), (2, "b", 2)) + make_placed(make_record, (3, "c", 3), host=other)
    hosts = find_hosts(records)
    assert hosts == {"a": HOST, "b": HOST, "c": other}
    found = group_nodes_by_type(hosts)
    assert [(machine.cpu, nodes) for machine, nodes in found.items()] == [("a CPU", ["a", "b"]), ("another CPU", ["c"])]
