"""Publishing keeps every sample and every result, discloses nothing, and is always admitted."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError
from orchestrator.execution.job_summary import add_summary
from orchestrator.export.publication import publish as publishing
from orchestrator.export.publication.admit import decide_admission
from orchestrator.export.publication.code import MAX_SEARCHED_BYTES
from orchestrator.export.publication.conclusion import conclude_group
from orchestrator.export.publication.contents import Bounds
from orchestrator.export.publication.publish import publish_run
from orchestrator.records.provenance import make_identity
from orchestrator.records.store import Store
from orchestrator.registry import workload_template
from orchestrator.registry.workloads import load_workload_folder
from schemas.code import hash_workload_code
from schemas.job import Cell, JobSpec
from schemas.models import ModelSource
from schemas.record import JobRecord
from tests.orchestrator.conftest import Said, a_cell
from tests.orchestrator.export.publication.conftest import NAMES, NOW
from tests.orchestrator.export.publication.forging import (
    BLOCKS,
    MODES,
    TIMES,
    Clock,
    a_job,
    a_refused,
    a_request,
    a_run_folder,
    clone,
    in_turn,
    measured_records,
    noisy_report,
    read_publication,
    replace_samples,
)
from tests.orchestrator.quick import PROGRAM, QUICK

CLONE = clone(MODES[0])


def publish(run: Store, to: Path, *, with_code: bool = False) -> Path:
    return publish_run(run, to, NAMES, NOW, with_code=with_code)


def read_tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_is_named_after_the_type_the_time_the_fingerprint_and_the_run(run: Store, tmp_path: Path) -> None:
    made = publish(run, tmp_path / "results")
    stated = read_publication(made)
    assert made == tmp_path / "results" / stated.machine / f"20250101-120000-{stated.fingerprint}-mine"
    assert {path.name for path in made.iterdir()} == {
        "jobs",
        "manifest.json",
        "publication.json",
        "report.html",
        "sweep.toml",
    }
    assert {*stated.files} == {*read_tree(made)} - {"publication.json"}
    assert [path.name for path in (tmp_path / "results").iterdir()] == [stated.machine]


def test_every_record_is_there_with_every_sample_and_no_log(run: Store, tmp_path: Path) -> None:
    before, after = run.read_records(), Store(publish(run, tmp_path / "results")).read_records()
    assert [each.report.samples_ns for each in after if each.report] == [
        each.report.samples_ns for each in before if each.report
    ]
    assert len(after) == len(before) == 4 * BLOCKS
    assert not [name for name in read_tree(tmp_path / "results") if "stderr" in name]


def test_a_published_run_is_a_run_with_the_same_results(
    run: Store, tmp_path: Path, inside: Callable[..., Said]
) -> None:
    made = publish(run, tmp_path / "results")
    before, after = (list(map(conclude_group, Run.from_store(each).groups)) for each in (run, Store(made)))
    assert before == after
    shown = inside("show", str(made))
    assert (shown.code, shown.err) == (0, "")
    assert "numpy:eager" in shown.out
    assert "1 block" not in shown.out
    assert inside("show", str(made), "001-torch-trace").code == 0
    assert inside("export", str(made)).code == 0


def test_publishing_twice_gives_the_same_bytes(run: Store, tmp_path: Path) -> None:
    first = read_tree(publish(run, tmp_path / "one").parents[1])
    assert read_tree(publish(run, tmp_path / "two").parents[1]) == first
    assert read_tree(publish(run, tmp_path / "one").parents[1]) == first  # over the first


def test_publishing_a_publication_changes_nothing(published: Path, tmp_path: Path) -> None:
    again = publish(Store(published), tmp_path / "again")
    assert read_tree(again) == read_tree(published)


def test_nothing_secret_of_the_run_is_in_any_file(published: Path) -> None:
    for name, content in read_tree(published).items():
        assert b"alice" not in content, name
        assert b"/home" not in content, name


def failed(outcome: str, blocks: int = 2) -> list[JobRecord]:
    """A run in which the traced mode fails in its first blocks, and is given up."""
    clock, found = Clock(), list[JobRecord]()
    for block in range(1, BLOCKS + 1):
        for position, cell in in_turn((*MODES, CLONE) if block <= blocks else (*MODES[:2], CLONE), block):
            is_failed = cell == MODES[2]
            spec = a_request(cell, block, position)
            found.append(a_job(clock, cell, block, TIMES[cell.id], outcome if is_failed else "measured", spec=spec))
    return found


def retried() -> list[JobRecord]:
    """A run in which a job was killed from outside and run again."""
    found = measured_records()
    place = next(index for index, each in enumerate(found) if each.spec.block == 3)
    killed, spec = found[place], found[place].spec
    assert killed.outside is not None
    outside = killed.outside.model_copy(update={"exit_status": -15, "spawn_to_end_ns": 10**8})
    lost = killed.model_copy(update={"outcome": "killed", "result": None, "reason": "SIGTERM", "outside": outside})
    later = killed.outside.model_copy(update={"started": killed.outside.started.replace(".000", ".500")})
    again = killed.model_copy(update={"spec": spec.model_copy(update={"attempt": 2}), "outside": later})
    return [*found[:place], lost, again, *found[place + 1 :]]


def in_block_0() -> list[JobRecord]:
    """A run with a warm cache, which each cell fills once."""
    cells = (a_cell("torch:compile", cache="warm"), a_cell("torch:eager", cache="warm"))
    clock = Clock()
    filled = [a_job(clock, cell, 0, 1000.0, spec=a_request(cell, 0, at)) for at, cell in enumerate(cells)]
    return filled + [
        a_job(clock, cell, block, 1000.0 if cell.mode == "compile" else 1300.0, spec=a_request(cell, block, at))
        for block in range(1, BLOCKS + 1)
        for at, cell in in_turn((*cells, clone(cells[0])), block)
    ]


RUNS = {
    "measured": measured_records(),
    "wrong": failed("wrong", 1),
    "raised twice": failed("raised"),
    "timeout twice": failed("timeout"),
    "out of memory twice": failed("out-of-memory"),
    "skipped": failed("skipped", 1),
    "unsupported": [*measured_records((*MODES[:2], CLONE)), a_refused(MODES[2])],
    "export failed": [*measured_records((*MODES[:2], CLONE)), a_refused(MODES[2], "raised")],
    "retried": retried(),
    "warm caches": in_block_0(),
    "two groups": measured_records((*MODES[:2], a_cell("torch:eager", batch=4), CLONE)),
}


@pytest.mark.long
@pytest.mark.parametrize("name", RUNS)
def test_an_untouched_run_is_always_admitted(tmp_path: Path, name: str) -> None:
    made = publish(a_run_folder(tmp_path / "runs", RUNS[name]), tmp_path / "results")
    decision = decide_admission(made, NOW, within=True)
    assert decision.refusal == ""
    assert decision.admitted is not None
    if name in ("wrong", "raised twice", "skipped", "unsupported"):
        ranks = {cell.label: cell.rank for group in decision.admitted.publication.groups for cell in group.cells}
        assert ranks["torch:trace"] is None


@pytest.mark.long
def test_a_real_sweep_is_published_and_admitted(tmp_path: Path, inside: Callable[..., Said]) -> None:
    (tmp_path / "quick.toml").write_text(
        QUICK.replace("blocks = 1", f"blocks = {BLOCKS}") + 'budget = "10m"\nprecision = 1e-9\n'
    )
    swept = subprocess.run(
        [*PROGRAM, "sweep", "quick.toml", "--runs", "runs", "--no-report"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert swept.returncode == 0, swept.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    run = Store(folder)
    replace_samples(run)
    done = inside("publish", str(folder), "--to", "results")
    assert done.err == ""
    assert done.code == 0
    assert inside("admit", "results").code == 0
    assert tmp_path.name.encode() not in b"".join(read_tree(tmp_path / "results").values())


def test_a_run_that_ended_with_its_budget_or_at_its_goal_is_admitted(tmp_path: Path) -> None:
    for number, (stop, stopped) in enumerate(
        (
            ({"budget": 100, "precision": 1e-9}, "the budget of 100 s was used up"),
            ({}, "every ratio to the baseline is known to ±2 %"),
        )
    ):
        sweep = {"name": "mine", "stop": stop}
        run = a_run_folder(tmp_path / f"{number}", measured_records(), sweep=sweep, stopped=stopped)
        assert decide_admission(publish(run, tmp_path / "results"), NOW).refusal == ""


def test_the_command_prints_the_folder(run: Store, inside: Callable[..., Said]) -> None:
    said = inside("publish", str(run.folder), "--to", "results", "--json")
    document = json.loads(said.out)
    assert document["run"] == run.name
    assert Path(document["publication"]).parts[0] == "results"
    plain = inside("publish", str(run.folder), "--to", "results")
    assert plain.out.strip() == document["publication"]


def test_commits_are_published_only_with_the_code(tmp_path: Path) -> None:
    commits = {"mlp": "ab" * 20}
    run = a_run_folder(tmp_path / "runs", measured_records(), commits=commits)
    made = publish(run, tmp_path / "results")
    assert Store(made).read_manifest().commits == {}
    assert decide_admission(made, NOW).refusal == ""
    own, _ = own_run(tmp_path / "own", commits={"mine": "ab" * 20})
    shown = publish(own, tmp_path / "more results", with_code=True)
    assert Store(shown).read_manifest().commits == {"mine": "ab" * 20}
    assert decide_admission(shown, NOW).refusal == ""


# What cannot be published.


def changed(record: JobRecord, **spec: object) -> JobRecord:
    return record.model_copy(update={"spec": JobSpec.model_validate(record.spec.model_dump(mode="json") | spec)})


MODEL = ModelSource(file="/home/alice/net.py", folder="/home/alice", attribute="Net").model_dump()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"finished": False}, "is unfinished; continue it with: python -m orchestrator resume"),
        ({"mixed": ("numpy 1.0 is now 2.0",)}, "is mixed: its parts were measured under different conditions"),
        ({"identity": None}, "does not name the code that measured it; measure it again"),
        ({"identity": {"sweep": "ab", "code": "cd" * 32}}, "cannot be published: the code that measured it is unknown"),
        ({"started": "noon"}, "'noon' is not a time"),
    ],
)
def test_a_run_that_would_not_be_admitted_is_not_published(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    run = a_run_folder(tmp_path / "runs", measured_records(), **changes)
    with pytest.raises(UsageError, match=sentence):
        publish(run, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_run_that_is_being_written_is_still_running(tmp_path: Path) -> None:
    run = a_run_folder(tmp_path / "runs", measured_records(), finished=False)
    with (
        run.hold_lock(f"{os.getpid()} sweep"),
        pytest.raises(UsageError, match=f"is still running, in process {os.getpid()}"),
    ):
        publish(run, tmp_path / "results")
    with pytest.raises(UsageError, match="is unfinished; continue it with"):
        publish(run, tmp_path / "results")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"model": MODEL}, "measures the model net.py:Net as it is, which no publication holds"),
        ({"package": "fast.mlp"}, "of the installed package fast.mlp; measure its folder"),
        ({"module": "fast.numpy"}, "ran code of the plug-in fast.numpy, which is not published"),
        ({"cell": a_cell(code="ab").model_dump()}, "measures your own workload mlp; add --with-code"),
    ],
)
def test_code_that_nobody_else_has_is_not_published(tmp_path: Path, spec: dict[str, object], sentence: str) -> None:
    first, *rest = measured_records()
    run = a_run_folder(tmp_path / "runs", [changed(first, **spec), *rest])
    with pytest.raises(UsageError, match=sentence):
        publish(run, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_damaged_record_is_named(run: Store, tmp_path: Path) -> None:
    path = min(run.jobs_folder.glob("*.json"))
    path.write_text("{")
    with pytest.raises(UsageError, match=f"has a record that does not count: {path.name}"):
        publish(run, tmp_path / "results")


def test_another_folder_in_its_place_is_kept(run: Store, tmp_path: Path) -> None:
    made = publish(run, tmp_path / "results")
    shutil.rmtree(made)
    made.mkdir()
    (made / "notes").write_text("mine")
    with pytest.raises(UsageError, match="is there and is no publication; move it"):
        publish(run, tmp_path / "results")
    assert (made / "notes").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_a_mistake_of_the_user(run: Store, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("mine")
    with pytest.raises(UsageError, match="cannot write to"):
        publish(run, tmp_path / "results")
    assert (tmp_path / "results").read_text() == "mine"


def test_a_run_with_more_records_than_a_publication_has_files_is_not_published(
    run: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "BOUNDS", Bounds(entries=4 * BLOCKS - 1))
    with pytest.raises(UsageError, match="has 32 records, and a publication at most 31 files; publish several smaller"):
        publish(run, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_code_in_folders_too_deep_to_be_read_is_not_published(tmp_path: Path) -> None:
    run, folder = own_run(tmp_path)
    deep = folder.joinpath(*["a"] * 12)
    deep.mkdir(parents=True)
    (deep / "extra.py").write_text("x = 1\n")
    code = hash_workload_code(folder)
    records = [changed(each, cell=each.spec.cell.model_dump() | {"code": code}) for each in run.read_records()]
    again = a_run_folder(tmp_path / "again", records)
    with pytest.raises(UsageError, match=r"cannot be published: .* or folders deeper than 12"):
        publish(again, tmp_path / "results", with_code=True)
    assert not (tmp_path / "results").exists()


def test_another_run_of_the_same_second_does_not_replace_the_first(run: Store, tmp_path: Path) -> None:
    made = publish(run, tmp_path / "results")
    before = read_tree(made)
    other = a_run_folder(tmp_path / "other", measured_records())
    for number, record in enumerate(other.read_records()):
        assert record.report is not None
        result = noisy_report(5000 + number, TIMES[record.spec.cell.id])
        other.write_record(add_summary(JobRecord.model_validate(record.model_dump(mode="json") | {"result": result})))
    with pytest.raises(UsageError, match="holds another run that began in the same second, or damaged records; "):
        publish(other, tmp_path / "results")
    assert read_tree(made) == before
    cells = [cell.model_copy(update={"batch": 9}) for cell in MODES[:2]]
    unlike = a_run_folder(tmp_path / "unlike", measured_records((*cells, clone(cells[0]))))
    with pytest.raises(UsageError, match="holds another run that began in the same second, or damaged records; "):
        publish(unlike, tmp_path / "results")
    assert publish(other, tmp_path / "elsewhere").name == made.name


def test_a_run_that_went_on_replaces_what_was_published_of_it(tmp_path: Path) -> None:
    first = a_run_folder(tmp_path / "first", measured_records(blocks=6))
    made = publish(first, tmp_path / "results")
    longer = a_run_folder(tmp_path / "longer", measured_records(blocks=8))
    assert publish(longer, tmp_path / "results") == made
    assert len(Store(made).read_records()) == 4 * 8


# A user's own workload.


def own_run(tmp_path: Path, **changes: object) -> tuple[Store, Path]:
    """A run of a workload in a folder."""
    tmp_path.mkdir(exist_ok=True)
    workload_template.write_template("mine", tmp_path)
    folder = tmp_path / "mine"
    workload = load_workload_folder(folder)
    plain = {"workload": "mine", "code": workload.code, "parameters": {}}
    cells = (a_cell("numpy:eager", **plain), a_cell("torch:eager", **plain))
    clock = Clock()
    records = [
        a_job(
            clock,
            cell,
            block,
            1000.0 if cell.framework == "numpy" else 1300.0,
            spec=a_request(cell, block, at, source_dir=str(folder)),
        )
        for block in range(1, BLOCKS + 1)
        for at, cell in in_turn((*cells, clone(cells[0])), block)
    ]
    sweep = {"name": "mine", "axes": {"workloads": [f"{folder}:width=8"]}}
    return a_run_folder(
        tmp_path / "runs", records, sweep=sweep, command=("sweep", "--workloads", "mine"), **changes
    ), folder


def test_with_code_the_files_of_a_workload_are_published_and_their_hash_is_the_cells(tmp_path: Path) -> None:
    run, folder = own_run(tmp_path)
    made = publish(run, tmp_path / "results", with_code=True)
    assert hash_workload_code(made / "code" / "mine") == hash_workload_code(folder)
    assert decide_admission(made, NOW).refusal == ""
    manifest = Store(made).read_manifest()
    assert manifest.sweep.axes.workloads == ("code/mine:width=8",)
    assert manifest.command == ("sweep", "sweep.toml")
    assert 'workloads = [\n    "code/mine:width=8",\n]' in (made / "sweep.toml").read_text()
    assert read_tree(publish(Store(made), tmp_path / "again", with_code=True)) == read_tree(made)


@pytest.mark.parametrize(("loop", "is_right"), [(12, True), (1, False), (3, False)])
def test_a_loop_of_published_code_has_as_many_calls_as_its_file_says(tmp_path: Path, loop: int, is_right: bool) -> None:
    run, folder = own_run(tmp_path)
    (folder / "workload.toml").write_text('loop = "steps"\n[parameters.steps]\ndefault = 12\n')
    looped = {"code": hash_workload_code(folder), "parameters": {"steps": 12}}
    records = [changed(each, cell=each.spec.cell.model_dump() | looped, loop=loop) for each in run.read_records()]
    again = a_run_folder(tmp_path / "again", records)
    if is_right:
        assert decide_admission(publish(again, tmp_path / "results", with_code=True), NOW).refusal == ""
        return
    with pytest.raises(UsageError, match=rf"called the model {loop} times, which is not what its workload says"):
        publish(again, tmp_path / "results", with_code=True)


def test_code_whose_file_is_no_workloads_is_refused(tmp_path: Path) -> None:
    run, folder = own_run(tmp_path)
    (folder / "workload.toml").write_text("loop = [")
    code = hash_workload_code(folder)
    records = [changed(each, cell=each.spec.cell.model_dump() | {"code": code}) for each in run.read_records()]
    again = a_run_folder(tmp_path / "again", records)
    with pytest.raises(UsageError, match=r"code/mine/workload.toml is no file of a workload: "):
        publish(again, tmp_path / "results", with_code=True)


def test_code_that_was_changed_after_publishing_is_refused(tmp_path: Path) -> None:
    made = publish(own_run(tmp_path)[0], tmp_path / "results", with_code=True)
    path = made / "code" / "mine" / "reference.py"
    path.write_text(path.read_text() + "\n# faster\n")
    assert "its hash differs" in decide_admission(made, NOW).refusal


def test_code_that_has_changed_since_it_was_measured_is_not_published(tmp_path: Path) -> None:
    run, folder = own_run(tmp_path)
    (folder / "extra.py").write_text("x = 1\n")
    with pytest.raises(UsageError, match="has changed since it was measured; measure it again"):
        publish(run, tmp_path / "results", with_code=True)


def test_code_with_an_address_is_not_published(tmp_path: Path) -> None:
    run, folder = own_run(tmp_path)
    (folder / "extra.py").write_text("# by alice@example.org\n")
    code = hash_workload_code(folder)
    records = [changed(each, cell=each.spec.cell.model_dump() | {"code": code}) for each in run.read_records()]
    again = a_run_folder(tmp_path / "again", records)
    with pytest.raises(UsageError, match=r"extra.py discloses an e-mail address; remove it, and measure again"):
        publish(again, tmp_path / "results", with_code=True)


def test_code_that_is_too_large_to_be_searched_is_not_published(tmp_path: Path) -> None:
    run, folder = own_run(tmp_path)
    (folder / "table.py").write_bytes(b"#" * (MAX_SEARCHED_BYTES + 1))
    code = hash_workload_code(folder)
    records = [changed(each, cell=each.spec.cell.model_dump() | {"code": code}) for each in run.read_records()]
    again = a_run_folder(tmp_path / "again", records)
    with pytest.raises(
        UsageError, match=r"table.py is larger than 1 MiB, the most that is searched for secrets; remove"
    ):
        publish(again, tmp_path / "results", with_code=True)


def test_the_identity_of_a_fixture_is_that_of_this_code(run: Store) -> None:
    manifest = run.read_manifest()
    cells: tuple[Cell, ...] = manifest.cells
    assert manifest.identity == make_identity(manifest.sweep, manifest.seed, cells)
