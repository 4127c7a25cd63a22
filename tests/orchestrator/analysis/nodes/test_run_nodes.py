"""A run on several nodes: its cells are compared within nodes, and the answer is given for each set of nodes."""

import functools
import json
from collections.abc import Callable, Sequence

import pandas as pd
import pytest

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.derivation.process import derive_processes
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.nodes.comparison import compare_over_nodes
from orchestrator.analysis.nodes.run_nodes import find_nodes
from orchestrator.analysis.process_scores import score_processes
from orchestrator.analysis.results import Group
from orchestrator.analysis.run import Run
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.records.store import Store
from orchestrator.report.nodes.sentences import describe_next_sweep
from orchestrator.report.nodes.types import describe_run_turnarounds
from orchestrator.report.page.templates import open_templates
from orchestrator.report.server.views import build_results
from schemas.job import Cell
from schemas.record import Host, JobRecord
from tests.orchestrator.cli.commands.test_export import Inside
from tests.orchestrator.conftest import a_manifest, a_run, place_on_nodes

MakeCell = Callable[..., Cell]
MakeRecords = Callable[..., list[JobRecord]]


@pytest.fixture
def cells(make_cell: MakeCell) -> list[Cell]:
    return [make_cell(label) for label in ("numpy:eager", "torch:eager", "torch:trace")] + [make_cell(replica=1)]


@pytest.fixture
def records(cells: list[Cell], make_records: MakeRecords) -> list[JobRecord]:
    return make_records([(cell, 1000.0 * speed) for cell, speed in zip(cells, (1.0, 1.1, 0.9, 1.0), strict=True)])


def group(records: Sequence[JobRecord], cells: Sequence[Cell]) -> Group:
    (found,) = group_results(records, cells)
    return found


def test_a_run_on_one_machine_has_no_nodes_whether_it_names_it_or_not(
    records: list[JobRecord], cells: list[Cell]
) -> None:
    assert find_nodes(derive_processes(records)) is None
    assert find_nodes(derive_processes(place_on_nodes(records, "n1"))) is None
    assert group(place_on_nodes(records, "n1"), cells).over_nodes is None
    assert repr(group(place_on_nodes(records, "n1"), cells).comparisons) == repr(group(records, cells).comparisons)


def test_each_block_has_its_node_with_type_and_canary(records: list[JobRecord]) -> None:
    nodes = find_nodes(derive_processes(place_on_nodes(records, "n1", "n2")))
    assert nodes is not None
    assert {node: {block % 2 for block in nodes.by_block if nodes.by_block[block] == node} for node in nodes.names} == {
        "n1": {0},
        "n2": {1},
    }
    assert set(nodes.types) == set(nodes.canaries_ns) == {"n1", "n2"}
    assert min(nodes.canaries_ns.values()) > 0


def test_the_cells_of_a_group_are_compared_within_nodes(records: list[JobRecord], cells: list[Cell]) -> None:
    placed = place_on_nodes(records, "n1", "n2")
    found, nodes = group(placed, cells), find_nodes(derive_processes(placed))
    assert found.over_nodes is not None
    assert nodes is not None
    of_label = {
        result.label: score_processes([each for each in placed if each.spec.cell.id == result.cell.id])
        for result in found.ranked
    }
    pairs = [(each.baseline, each.cell) for each in found.comparisons]
    due = compare_over_nodes(of_label, pairs, nodes, alpha=found.alpha)
    assert repr(found.comparisons) == repr(tuple(each.on_nodes for each in due.comparisons))
    assert {each.cell: each.verdict for each in found.comparisons} == {
        "torch:eager": Verdict.SLOWER,
        "torch:trace": Verdict.FASTER,
    }
    assert [standing.cell for standing in found.standings] == ["torch:trace", "numpy:eager", "torch:eager"]
    assert found.clone is not None
    assert found.over_nodes.clone is not None
    assert found.clone == found.over_nodes.clone.on_nodes


def test_a_node_that_is_slower_as_a_whole_changes_no_ratio(records: list[JobRecord], cells: list[Cell]) -> None:
    slow = [
        record.model_copy(
            update={
                "result": record.report.model_copy(
                    update={"samples_ns": tuple(3 * took for took in record.report.samples_ns)}
                )
            }
        )
        if record.report and record.spec.block % 2
        else record
        for record in records
    ]
    plain, changed = (group(place_on_nodes(each, "n1", "n2"), cells) for each in (records, slow))
    for before, after in zip(plain.comparisons, changed.comparisons, strict=True):
        assert after.ratio.estimate == pytest.approx(before.ratio.estimate)
        assert after.verdict is before.verdict


def test_tables_and_the_document_say_it_by_node(
    records: list[JobRecord], make_run: Callable[..., Store], inside: Inside
) -> None:
    make_run("placed", place_on_nodes(records, "n1", "n2", "n3"))
    shown = inside("show", "placed").out
    assert "torch:trace over numpy:eager, by node" in shown
    assert "on these nodes" in shown
    assert "on nodes of this type" in shown
    assert '"on_type"' in inside("show", "placed", "--json").out
    make_run("alone", records)
    assert "by node" not in inside("show", "alone").out


def test_a_ratio_over_the_type_that_is_too_wide_says_what_it_needs(
    records: list[JobRecord], make_run: Callable[..., Store], inside: Inside
) -> None:
    store = make_run("placed", place_on_nodes(records, "n1", "n2", "n3"))
    assert describe_next_sweep(Run.from_store(store)) == []
    wanted = store.read_manifest()
    stop = wanted.sweep.stop.model_copy(update={"precision": 1e-4})
    store.write_manifest(wanted.model_copy(update={"sweep": wanted.sweep.model_copy(update={"stop": stop})}))
    (said,) = describe_next_sweep(Run.from_store(store))
    assert "on nodes of the type within ±0.01 %" in said
    assert said in " ".join(inside("show", "placed").out.split())
    assert json.loads(inside("show", "placed", "--json").out)["next_sweep"] == [said]


@pytest.fixture
def mixed(cells: list[Cell], make_records: MakeRecords, make_run: Callable[..., Store], host: Host) -> Store:
    """A run on nodes of two types, on which `torch:eager` is slower and faster than NumPy."""
    other = host.model_copy(update={"cpu": "another CPU"})
    slower, faster = (
        place_on_nodes(
            make_records([(cell, 1000.0 * speed) for cell, speed in zip(cells, (1, eager, 2, 1), strict=True)]), *names
        )
        for eager, names in ((1.5, ("n1", "n2")), (0.5, ("n3", "n4")))
    )
    moved = [
        record.model_copy(
            update={"host": other, "spec": record.spec.model_copy(update={"block": record.spec.block + 12})}
        )
        for record in faster
    ]
    return make_run("mixed", [*slower, *moved])


def test_each_type_of_machine_has_results_of_its_own(mixed: Store) -> None:
    run = Run.from_store(mixed)
    (other,) = run.others
    assert run.skipped == other.skipped == ()
    assert other.machine_type != run.machine_type
    assert (len(run.records), len(other.records)) == (48, 48)
    for each, verdict in ((run, Verdict.SLOWER), (other, Verdict.FASTER)):
        (found,) = each.groups
        assert found.over_nodes is not None
        assert len(found.over_nodes.nodes.names) == 2
        assert {pair.cell: pair.verdict for pair in found.comparisons}["torch:eager"] is verdict


def test_it_is_told_where_the_order_turns_round(mixed: Store, inside: Inside) -> None:
    run = Run.from_store(mixed)
    (said,) = describe_run_turnarounds(run)
    assert said.startswith("The order turns round: torch:eager over numpy:eager")
    shown = " ".join(inside("show", "mixed").out.split())
    assert said in shown.replace("• ", "")
    assert all(f"Measured on {each.machine_type.label}." in shown for each in (run, *run.others))
    document = json.loads(inside("show", "mixed", "--json").out)
    assert document["turnarounds"] == [said]
    assert [len(each["groups"]) for each in document["other_types"]] == [1]


def test_the_server_shows_each_type_with_its_nodes_and_where_the_order_turns_round(mixed: Store) -> None:
    run = Run.from_store(mixed)
    found = build_results(run)
    (other,) = found.others
    assert (found.machine, other.machine) == (run.machine_type.label, run.others[0].machine_type.label)
    assert (found.skipped, other.skipped) == ([], [])
    assert describe_run_turnarounds(run)[0] in found.answer
    for results, node in ((found, "n1"), (other, "n3")):
        by_node = [table for table in results.tables if ", by node of type " in table.caption]
        assert by_node[0].headings == ("node", "blocks", "ratio", "verdict")
        assert node in {row[0] for row in by_node[0].rows}
    text = open_templates("orchestrator.report.server").get_template("results.html").render(results=found)
    assert text.count("On another type of machine") == 1
    assert all(each.machine_type.label in text for each in (run, *run.others))


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_a_table_has_the_cells_of_each_type_of_machine(mixed: Store, inside: Inside, form: str) -> None:
    run, target = Run.from_store(mixed), mixed.folder / "table"
    said = inside("export", "mixed", "--format", form, "--output", str(target))
    assert (said.code, said.err) == (ExitCode.FINE, "")
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": functools.partial(pd.read_json, lines=True)}
    rows = readers[form](target)
    by_type = {each.machine_type.content_hash: each for each in (run, *run.others)}
    assert set(rows["machine_type"]) == set(by_type)
    for kind, own in rows.groupby("machine_type"):
        (group,) = by_type[str(kind)].groups
        assert set(own["fingerprint"]) == {by_type[str(kind)].manifest.host.content_hash}
        floors = dict(zip(own["label"], own["floor_ns"], strict=True))
        assert floors == pytest.approx({found.label: found.floor_ns.estimate for found in group.results})


def test_each_job_and_sample_has_its_node(mixed: Store, records: list[JobRecord]) -> None:
    run = Run.from_store(mixed)
    nodes = {each.name: each.node for of_type in (run, *run.others) for each in of_type.processes}
    blocks = {(row["cell"], row["block"]): row["node"] for row in run.rows("job")}
    assert blocks == {(each.cell_id, each.block): nodes[each.name] for each in run.processes + run.others[0].processes}
    assert {(row["cell"], row["block"]): row["node"] for row in run.rows("sample")} == blocks
    alone = a_run(a_manifest({record.spec.cell.id: record.spec.cell for record in records}.values()), records)
    assert {row["node"] for row in alone.rows("job")} == {None}


def test_only_the_computation_with_the_largest_need_asks_for_a_sweep(
    make_cell: MakeCell, make_records: MakeRecords, make_run: Callable[..., Store]
) -> None:
    pairs = [
        (make_cell(label, parameters={"depth": depth}), 1000.0 * speed)
        for depth in (1, 2)
        for label, speed in (("numpy:eager", 1.0), ("torch:eager", 1.1))
    ]
    store = make_run("two", place_on_nodes(make_records(pairs), "n1", "n2", "n3"))
    wanted = store.read_manifest()
    stop = wanted.sweep.stop.model_copy(update={"precision": 1e-5})
    store.write_manifest(wanted.model_copy(update={"sweep": wanted.sweep.model_copy(update={"stop": stop})}))
    run = Run.from_store(store)
    (said,) = describe_next_sweep(run)
    assert len(run.groups) == 2
    assert said.partition(": ")[0] in {group.title for group in run.groups}


def test_a_choice_of_computations_holds_for_each_type(mixed: Store) -> None:
    chosen = Run.from_store(mixed).select_computations("mlp")
    assert [len(each.records) for each in (chosen, *chosen.others)] == [48, 48]


def test_a_record_of_another_machine_that_is_no_node_is_left_out_as_before(
    records: list[JobRecord], make_run: Callable[..., Store], host: Host
) -> None:
    strange = records[0].model_copy(update={"host": host.model_copy(update={"cpu": "another CPU"})})
    run = Run.from_store(make_run("strange", [strange, *records[1:]]))
    assert run.others == ()
    assert len(run.skipped) == 1
    assert "another type of machine" in run.skipped[0]


def test_whatever_shows_one_type_alone_names_the_records_of_the_others(mixed: Store, inside: Inside) -> None:
    run = Run.from_store(mixed)
    assert len(run.left_out) == 48
    assert all("was measured on another type of machine" in reason for reason in run.left_out)
    assert "Skipped 48 records" in inside("export", "mixed", "--format", "markdown").err
    for command in ("show", "report"):
        assert "Skipped" not in inside(command, "mixed").err
    said = inside("publish", "mixed", "--to", "published")
    assert (said.code, "has a record that does not count" in said.err) == (ExitCode.USAGE, True)


def test_a_job_on_any_type_can_be_shown(mixed: Store, inside: Inside) -> None:
    (other,) = Run.from_store(mixed).others
    name = other.processes[0].name
    assert name in inside("show", "mixed", name).out
