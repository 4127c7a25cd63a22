"""Closed blocks are verified, and count once, whoever closes them and wherever the head was ended."""

import json
from collections.abc import Callable

import pytest

from orchestrator.execution.shares.collector import Collector, WrongBlock, make_collector
from orchestrator.records.store import Store
from schemas.record import JobRecord, Placement
from tests.orchestrator.execution.shares.conftest import IDS, Node

MakeNode = Callable[..., Node]


def collect_from(run: Store, *nodes: Node) -> Collector:
    made = make_collector(run, IDS, lambda _: None)
    for node in nodes:
        made.collect_blocks(node.store, node.spec)
    return made


def read_owners(run: Store) -> dict[int, set[tuple[int, int]]]:
    found: dict[int, set[tuple[int, int]]] = {}
    for record in run.read_records():
        assert record.placement is not None
        found.setdefault(record.spec.block, set()).add((record.placement.share, record.placement.attempt))
    return found


def test_closed_blocks_become_records_of_the_run_byte_by_byte(run: Store, make_node: MakeNode) -> None:
    node = make_node(first=3, last=5)
    node.close(3)
    node.close(4)
    node.measure(5)
    made = make_collector(run, IDS, lambda _: None)
    assert made.collect_blocks(node.store, node.spec) == 2
    assert made.collect_blocks(node.store, node.spec, 2) == 2
    assert read_owners(run) == {3: {(1, 1)}, 4: {(1, 1)}}
    for path in run.list_record_files():
        assert path.read_bytes() == (node.store.folder / "jobs" / path.name).read_bytes()


def test_a_block_is_taken_when_it_is_closed_and_not_before(run: Store, make_node: MakeNode) -> None:
    node = make_node()
    made = collect_from(run, node)
    records = node.measure(1)
    made.collect_blocks(node.store, node.spec)
    assert run.read_records() == []
    node.store.close_block(1, records)
    made.collect_blocks(node.store, node.spec)
    assert read_owners(run) == {1: {(1, 1)}}


def test_the_first_closed_attempt_counts_and_the_other_is_kept_and_named(run: Store, make_node: MakeNode) -> None:
    first, second = make_node(attempt=1), make_node(attempt=2)
    second.close(1)
    made = collect_from(run, first, second)
    first.close(1)
    made.collect_blocks(first.store, first.spec)
    assert read_owners(run) == {1: {(1, 2)}}
    assert made.taken.kept == {(1, 1): [1]}
    assert (first.store.folder / "closed" / "1.json").is_file()
    again = collect_from(run, first, second)
    assert (again.taken.by_block, again.taken.kept) == (made.taken.by_block, made.taken.kept)
    assert len((run.folder / "shares" / "taken.jsonl").read_text().splitlines()) == 2


def test_an_empty_block_counts_so_that_nobody_measures_it_again(run: Store, make_node: MakeNode) -> None:
    node = make_node()
    node.store.close_block(1, ())
    assert collect_from(run, node).taken.list_missing(2) == [2]


def edit_record(node: Node, change: Callable[[dict[str, object]], object]) -> None:
    path = min((node.store.folder / "jobs").iterdir())
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))


def test_a_record_that_is_not_the_one_that_was_hashed_does_not_count(run: Store, make_node: MakeNode) -> None:
    node = make_node()
    node.close(1)
    node.close(2)
    edit_record(node, lambda said: said.update(reason="edited"))
    with pytest.raises(WrongBlock, match="is not the file that its node hashed"):
        collect_from(run, node)
    assert run.read_records() == []
    assert make_collector(run, IDS, lambda _: None).taken.list_missing(2) == [1, 2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"placement": None}, "is of another share"),
        ({"placement": Placement(node="n1", share=2, attempt=1)}, "is of another share"),
        ({"placement": Placement(node="n1", share=1, attempt=2)}, "is of another share"),
    ],
)
def test_a_record_of_another_share_does_not_count(
    run: Store, make_node: MakeNode, changes: dict[str, object], said: str
) -> None:
    node = make_node()
    node.close(1, **changes)
    with pytest.raises(WrongBlock, match=said):
        collect_from(run, node)


def test_a_record_of_another_block_or_cell_does_not_count(run: Store, make_node: MakeNode) -> None:
    node = make_node()
    node.store.close_block(1, node.measure(2))
    with pytest.raises(WrongBlock, match="is no record of block 1"):
        collect_from(run, node)
    other = make_node(share=2)
    other.close(1)
    strict = make_collector(run, frozenset({"another"}), lambda _: None)
    with pytest.raises(WrongBlock, match="is no record of block 1"):
        strict.collect_blocks(other.store, other.spec)


def test_a_mark_of_another_block_is_refused(run: Store, make_node: MakeNode) -> None:
    node = make_node()
    node.close(2)
    (node.store.folder / "closed" / "2.json").rename(node.store.folder / "closed" / "1.json")
    with pytest.raises(WrongBlock, match="the mark of block 1 names block 2"):
        collect_from(run, node)


def test_half_a_record_is_no_record(run: Store, make_node: MakeNode) -> None:
    node = make_node()
    records = node.measure(1)
    path = min((node.store.folder / "jobs").iterdir())
    path.write_bytes(path.read_bytes()[:100])
    node.store.close_block(1, records)
    with pytest.raises(WrongBlock, match="is no record"):
        collect_from(run, node)


def test_a_missing_record_is_named(run: Store, make_node: MakeNode) -> None:
    node = make_node()
    node.close(1)
    min((node.store.folder / "jobs").iterdir()).unlink()
    with pytest.raises(WrongBlock, match="cannot be read"):
        collect_from(run, node)


def test_a_copy_that_was_interrupted_is_completed_from_the_same_attempt(run: Store, make_node: MakeNode) -> None:
    first, second = make_node(attempt=1), make_node(attempt=2)
    first.close(1)
    collect_from(run, first)
    second.close(1)
    whole = {path.name: path.read_bytes() for path in run.list_record_files()}
    min(run.list_record_files()).unlink()
    collect_from(run, second, first)
    assert {path.name: path.read_bytes() for path in run.list_record_files()} == whole


def test_a_block_whose_records_are_gone_is_measured_again(run: Store, make_node: MakeNode) -> None:
    node = make_node()
    node.close(1)
    collect_from(run, node)
    gone = min(run.list_record_files())
    gone.unlink()
    (node.store.folder / "jobs" / gone.name).unlink()
    made = make_collector(run, IDS, lambda _: None)
    assert made.taken.list_missing(1) == [1]
    later = make_node(attempt=2)
    later.close(1)
    made.collect_blocks(later.store, later.spec)
    assert read_owners(run) == {1: {(1, 2)}}


def test_the_first_record_that_counts_is_told_once(run: Store, make_node: MakeNode) -> None:
    node, told = make_node(), list[JobRecord]()
    node.close(1)
    node.close(2)
    made = make_collector(run, IDS, told.append)
    made.collect_blocks(node.store, node.spec)
    assert {record.spec.block for record in told} == {1}
