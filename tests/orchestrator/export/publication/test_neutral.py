"""A run to publish names no person, machine or place, and its analysis gives the same results."""

from typing import Any

import pytest

from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError
from orchestrator.export.publication.admit import find_named_machines
from orchestrator.export.publication.conclusion import conclude_group
from orchestrator.export.publication.disclosure import find_disclosure, walk_texts
from orchestrator.export.publication.neutral import format_utc, make_neutraliser, shorten_command, withhold_setting
from orchestrator.records.nodes import list_nodes
from orchestrator.records.provenance import make_identity
from schemas.cluster import Cluster
from schemas.event import Setting
from schemas.record import JobRecord, Manifest, Placement
from tests.orchestrator.conftest import HOST, a_cell, a_manifest, a_spec
from tests.orchestrator.export.publication.forging import Clock, a_job, clone

NAMES = ("alice", "alices-laptop", "/home/alice")
VENVS = ("/home/alice/old/bin/python", "/home/alice/new/bin/python")
CELLS = tuple(a_cell("numpy:eager", environment=name) for name in VENVS)
TIMES = dict(zip((cell.id for cell in CELLS), (1000.0, 1300.0), strict=True))


def an_environment(path: str) -> dict[str, object]:
    return {"interpreter": path, "python": "3.12", "packages": {}, "installed": {}, "freeze": path[-20:-11]}


def a_manifest_of_two_interpreters() -> Manifest:
    cells = (*CELLS, clone(CELLS[0]))
    sweep = {
        "name": "alice-two",
        "axes": {"environment": list(VENVS)},
        "baseline": "numpy@new:eager",
        "environments": {"mine": {"lock": "/home/alice/lock.txt", "variables": {"MY_KEY": "x", "OMP_DYNAMIC": "0"}}},
    }
    made = a_manifest(
        cells,
        sweep=sweep,
        command=("sweep", "--env", ",".join(VENVS), "--runs", "/home/alice/runs"),
        environments={path: an_environment(path) for path in VENVS},
        warnings=("alices-laptop is busy, see /home/alice/notes",),
        started="2025-01-01T14:00:00+02:00",
        host=HOST.model_copy(update={"variables": {"LD_PRELOAD": "/opt/jemalloc.so", "OMP_DYNAMIC": "0"}}),
    )
    return made.model_copy(update={"identity": make_identity(made.sweep, made.seed, made.cells)})


def records_of_two_interpreters() -> list[JobRecord]:
    clock = Clock()
    return [
        a_job(
            clock,
            cell,
            block,
            TIMES.get(cell.id, 1000.0),
            spec=a_spec(cell, block, variables={"HF_TOKEN": "abc", "OMP_NUM_THREADS": "1"}, results="/tmp/x/results"),
        )
        for block in range(1, 9)
        for cell in (*CELLS, clone(CELLS[0]))
    ]


@pytest.fixture
def both() -> tuple[Run, Run]:
    """A run before and after."""
    manifest, records = a_manifest_of_two_interpreters(), records_of_two_interpreters()
    neutral = make_neutraliser(manifest, records, NAMES)
    changed = [neutral.neutralise_record(record) for record in records]
    return (
        Run(name="a", manifest=manifest, records=tuple(records)),
        Run(name="a", manifest=neutral.neutralise_manifest(manifest), records=tuple(changed)),
    )


def list_texts(run: Run) -> list[str]:
    documents: list[Any] = [
        run.manifest.model_dump(mode="json"),
        *(each.model_dump(mode="json") for each in run.records),
    ]
    return [text for document in documents for _, text in walk_texts(document)]


def test_no_text_discloses_anything_or_names_anybody(both: tuple[Run, Run]) -> None:
    before, after = map(list_texts, both)
    assert any("alice" in text for text in before)
    assert [text for text in after if find_disclosure(text) or "alice" in text.lower()] == []


def test_the_analysis_gives_the_same_figures(both: tuple[Run, Run]) -> None:
    (before,), (after,) = (list(map(conclude_group, run.groups)) for run in both)
    figures = [[(cell.rank, cell.time_ns, cell.outcome) for cell in group.cells] for group in (before, after)]
    assert figures[0] == figures[1]
    assert [each.ratio for each in before.comparisons] == [each.ratio for each in after.comparisons]
    assert [each.verdict for each in before.comparisons] == [each.verdict for each in after.comparisons]
    assert (before.baseline, after.baseline) == ("numpy@new:eager", "numpy@environment-2:eager")


def test_environments_keep_apart_by_their_numbers(both: tuple[Run, Run]) -> None:
    manifest = both[1].manifest
    assert [cell.environment for cell in manifest.cells] == ["environment-1", "environment-2", "environment-1"]
    assert [*manifest.environments] == ["environment-1", "environment-2"]
    assert {each.interpreter for each in manifest.environments.values()} == {"python"}
    assert manifest.sweep.axes.environment == ("environment-1", "environment-2")
    assert {record.spec.cell.id for record in both[1].records} == {cell.id for cell in manifest.cells}


def test_values_of_variables_that_are_not_recorded_on_purpose_are_withheld(both: tuple[Run, Run]) -> None:
    manifest, record = both[1].manifest, both[1].records[0]
    assert manifest.sweep.environments["mine"].variables == {"MY_KEY": "withheld", "OMP_DYNAMIC": "0"}
    assert record.spec.variables == {"HF_TOKEN": "withheld", "OMP_NUM_THREADS": "1"}
    assert manifest.host.variables == {"LD_PRELOAD": "removed-path", "OMP_DYNAMIC": "0"}


def test_times_are_in_utc_and_the_identity_is_that_of_the_new_cells(both: tuple[Run, Run]) -> None:
    manifest = both[1].manifest
    assert manifest.started == "2025-01-01T12:00:00+00:00"
    assert manifest.identity == make_identity(manifest.sweep, manifest.seed, manifest.cells)


def test_a_second_time_changes_nothing(both: tuple[Run, Run]) -> None:
    after = both[1]
    again = make_neutraliser(after.manifest, after.records, NAMES)
    assert again.neutralise_manifest(after.manifest) == after.manifest
    assert tuple(map(again.neutralise_record, after.records)) == after.records


@pytest.mark.parametrize(
    ("command", "due"),
    [
        (("sweep",), ("sweep",)),
        (("sweep", "--runs", "/tmp/x", "--json", "--batch", "1,32"), ("sweep", "--batch", "1,32")),
        (("sweep", "--runs=/tmp/x", "--budget", "5m"), ("sweep", "--budget", "5m")),
        (("sweep", "question.toml"), ("sweep", "sweep.toml")),
        (("sweep", "--workloads", "./mine"), ("sweep", "sweep.toml")),
        (("sweep", "--name", "two words"), ("sweep", "sweep.toml")),
        (("selftest",), ("sweep", "sweep.toml")),
        ((), ("sweep", "sweep.toml")),
    ],
)
def test_the_command_is_the_typed_one_without_places_or_that_of_the_sweep_file(
    command: tuple[str, ...], due: tuple[str, ...]
) -> None:
    assert shorten_command(command) == due


@pytest.mark.parametrize(
    ("setting", "due"),
    [
        (("threads", "1", "1"), ("threads", "1", "1")),
        (("OMP_NUM_THREADS", "1", "1"), ("OMP_NUM_THREADS", "1", "1")),
        (("MY_TOKEN", "abc", "abc"), ("MY_TOKEN", "withheld", "withheld")),
        (("MY_TOKEN", "abc", "xyz"), ("MY_TOKEN", "withheld", "withheld, another one")),
        (("MY_TOKEN", None, "xyz"), ("MY_TOKEN", None, "withheld")),
    ],
)
def test_a_withheld_setting_is_honoured_as_before(
    setting: tuple[str, str | None, str], due: tuple[str, str | None, str]
) -> None:
    before, after = (Setting(name=name, asked=asked, got=got) for name, asked, got in (setting, due))
    assert withhold_setting(before) == after
    assert before.honoured == after.honoured


def test_a_run_that_names_no_code_or_no_time_is_refused() -> None:
    manifest = a_manifest_of_two_interpreters()
    neutral = make_neutraliser(manifest, [], NAMES)
    with pytest.raises(UsageError, match="does not name the code that measured it"):
        neutral.neutralise_manifest(manifest.model_copy(update={"identity": None}))
    with pytest.raises(UsageError, match="'noon' is not a time"):
        format_utc("noon", "seconds")


def test_a_path_with_spaces_is_removed_to_its_closing_quotation_mark() -> None:
    neutral = make_neutraliser(a_manifest_of_two_interpreters(), (), NAMES)
    found = neutral.neutralise_text('File "/home/alice/My Secret Project/model.py", line 3')
    assert found == 'File "removed-path", line 3'


def test_nodes_are_numbered_and_machines_are_left_out() -> None:
    manifest = a_manifest_of_two_interpreters()
    sweep = manifest.sweep.model_copy(update={"cluster": Cluster(on="slurm", account="secret-lab", nodes=("gpu7",))})
    manifest = manifest.model_copy(
        update={"sweep": sweep, "command": ("sweep", "--on", "slurm", "--nodes", "gpu7,gpu9", "--blocks", "8")}
    )
    records = [
        record.model_copy(
            update={"placement": Placement(node="gpu9" if record.spec.block > 4 else "gpu7", share=1, attempt=1)}
        )
        for record in records_of_two_interpreters()
    ]
    neutral = make_neutraliser(manifest, records, NAMES)
    changed, written = [neutral.neutralise_record(record) for record in records], neutral.neutralise_manifest(manifest)
    assert list_nodes(changed) == ["node 1", "node 2"]
    assert written.sweep.cluster is None
    texts = " ".join(list_texts(Run(name="a", manifest=written, records=tuple(changed))))
    assert not [word for word in ("gpu7", "gpu9", "secret-lab") if word in texts]
    again = make_neutraliser(written, changed, NAMES)
    assert [again.neutralise_record(record) for record in changed] == changed


def test_a_name_of_a_node_and_the_way_to_it_are_refused() -> None:
    manifest, records = a_manifest_of_two_interpreters(), records_of_two_interpreters()
    assert list(find_named_machines(manifest, records)) == []
    placed = [records[0].model_copy(update={"placement": Placement(node="gpu7", share=1, attempt=1)})]
    sweep = manifest.sweep.model_copy(update={"cluster": Cluster(on="slurm")})
    found = list(find_named_machines(manifest.model_copy(update={"sweep": sweep}), placed))
    assert found == [
        "the manifest discloses how its machines are reached",
        "a record discloses the name of a node, which should be 'node 1'",
    ]
