"""The index of a large run: it says what the records say, and is never trusted over them."""

import ast
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from orchestrator.analysis.derivation import record_index, run_reader
from orchestrator.analysis.derivation.process import (
    Figures,
    Process,
    derive_process,
    make_process,
    read_phases,
    read_sketches,
)
from orchestrator.analysis.derivation.run_reader import RunReader, index_records
from orchestrator.analysis.run import Run
from orchestrator.records import store
from orchestrator.records.index_cache import locate_index
from orchestrator.records.provenance import SOURCE
from orchestrator.records.store import Store
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord, Placement

MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]
MakeRun = Callable[..., Store]

MEMORY = {"start": 1 << 20, "peak": 3 << 20, "end": 2 << 20, "pss": None, "uss": None, "processes": 1}
PHASES = [
    {"name": name, "wall_ns": 1000, "cpu_ns": 900, "memory": MEMORY}
    for name in ("import", "data", "build", "first_call")
]
CHECKS = [
    {"tensor": "loss", "inputs": "set 0", "error": 1e-7, "worst": 1e-7, "tolerance": 2e-6, "passed": True},
    {"tensor": "move", "inputs": "set 0", "error": 3e-7, "worst": 1e-7, "tolerance": 4e-6, "passed": True}
    | {"sketch": [1.0, 2.0], "scale": 3.0},
]


@pytest.fixture
def records(make_record: MakeRecord, make_report: MakeReport, make_cell: Callable[..., Cell]) -> list[JobRecord]:
    """Records of every kind: full and bare reports, failures, and a job that did not start."""
    full = make_report(
        phases=PHASES,
        memory={"steps": [{"start": 2 << 20, "peak": 3 << 20}, {"start": 2 << 20, "peak": 4 << 20}], "trimmed": True},
        latency_ns=tuple(range(1000, 1100)),
        verification={"checks": CHECKS, "referee": "numpy", "agreement": "it cannot"},
        new_shapes=[{"first_ns": 9, "second_ns": None, "compilations": 1}],
        warmup=((1, 900), (1, 500), *((10, 1000),) * 20),
        warnings=("a warning", "ein Wärmehinweis"),
        notes=("a note",),
        compilations=3,
        forked=True,
    )
    return [
        make_record(make_cell(), 1, result=full),
        make_record(make_cell("torch:eager"), 1, placement=Placement(node="n1", share=2, attempt=1)),
        make_record(make_cell(), 2, outcome="raised"),
        make_record(make_cell("torch:eager"), 2, outcome="skipped", outside=None),
        make_record(make_cell(), 3, outcome="wrong"),
    ]


@pytest.fixture
def place(make_run: MakeRun, records: list[JobRecord], monkeypatch: pytest.MonkeyPatch) -> Store:
    """A run that counts as large."""
    monkeypatch.setattr(run_reader, "LEAST_INDEXED", 2)
    return make_run("large", records)


def read_all(place: Store) -> tuple[Process, ...]:
    reader = RunReader(place)
    reader.refresh()
    return reader.processes


def spell(process: Process) -> str:
    """Return the fields of a process in a form that can be compared, wherever they are kept and though NaN is none."""
    said = {name: getattr(process, name) for name in record_index.PROCESS_FIELDS}
    figures = process.figures
    if figures is None:
        return repr(said | {"figures": None})
    kept = {name: getattr(figures, name) for name in record_index.FIGURE_FIELDS}
    lists = {name: list(kept[name]) for name in ("log_samples", "laps", "percentiles")}
    return repr(said | kept | lists | {"phases": read_phases(figures), "sketched": read_sketches(figures)})


def test_what_is_read_from_the_index_is_what_is_derived_of_the_records(
    place: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew = read_all(place)
    assert locate_index(place).is_file()
    monkeypatch.setattr(store, "read_record", lambda path: pytest.fail(f"{path} was read"))
    again = read_all(place)
    assert [*map(spell, again)] == [*map(spell, anew)]
    assert [process.figures is None for process in again] == [False, False, True, True, False]


def test_every_field_has_a_column(place: Store) -> None:
    read_all(place)
    fields = {*record_index.PROCESS_FIELDS, *record_index.FIGURE_FIELDS}
    assert fields == {*record_index.KINDS, *record_index.OBJECTS}
    assert fields | {"figures"} == {field.name for kind in (Process, Figures) for field in dataclasses.fields(kind)}


def test_a_record_that_has_changed_is_read_anew_and_the_others_are_not(
    place: Store, records: list[JobRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_all(place)
    place.write_record(records[2].model_copy(update={"reason": "another one"}))
    read, plain = list[str](), store.read_record

    def spy(path: Path) -> JobRecord:
        read.append(path.name)
        return plain(path)

    monkeypatch.setattr(store, "read_record", spy)
    monkeypatch.setattr(run_reader, "LEAST_INDEXED", 1)
    assert [process.reason for process in read_all(place)][2] == "another one"
    assert read == [f"{store.job_name(records[2].spec)}.json"]
    read.clear()
    read_all(place)
    assert read == []


def test_a_record_of_the_same_size_and_time_is_no_less_read_anew(place: Store, records: list[JobRecord]) -> None:
    read_all(place)
    path = place.jobs_folder / f"{store.job_name(records[2].spec)}.json"
    before, text = path.stat(), path.read_text()
    path.write_text(text.replace("because it was raised", "because it was dazzed"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert [process.reason for process in read_all(place)][2] == "because it was dazzed"


def test_a_record_that_is_gone_is_in_no_result(place: Store, records: list[JobRecord]) -> None:
    read_all(place)
    (place.jobs_folder / f"{store.job_name(records[0].spec)}.json").unlink()
    assert len(read_all(place)) == len(records) - 1


def test_another_derivation_is_not_used(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read_all(place)
    stamps = place.list_record_stamps()
    assert len(record_index.read_index(place, stamps)) == len(stamps)
    monkeypatch.setattr(record_index, "hash_derivation", lambda: "other code")
    assert record_index.read_index(place, stamps) == {}


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"x" * 5000, None])
def test_a_damaged_index_counts_as_absent_and_is_replaced(place: Store, content: bytes | None) -> None:
    anew = read_all(place)
    whole = locate_index(place).read_bytes()
    locate_index(place).write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert [*map(spell, read_all(place))] == [*map(spell, anew)]
    assert len(locate_index(place).read_bytes()) == len(whole)


@pytest.mark.parametrize("step", range(0, 4000, 97))
def test_a_changed_byte_of_an_index_never_stops_its_reader(place: Store, step: int) -> None:
    anew = read_all(place)
    content = bytearray(locate_index(place).read_bytes())
    content[len(content) * step // 4000] ^= 0xFF
    locate_index(place).write_bytes(bytes(content))
    assert len(read_all(place)) == len(anew)


@pytest.mark.parametrize("change", ["drop", "rename", "retype", "reorder"])
def test_a_table_of_another_form_counts_as_absent(place: Store, change: str) -> None:
    anew = read_all(place)
    stamps = place.list_record_stamps()
    table = record_index.make_table(anew, [stamps[process.file] for process in anew])
    changed = {
        "drop": lambda: table.drop_columns(["floor_ns"]),
        "rename": lambda: table.rename_columns({"floor_ns": "typical_ns", "typical_ns": "floor_ns"}),
        "retype": lambda: table.set_column(table.column_names.index("calls"), "calls", [[1.5] * len(table)]),
        "reorder": lambda: table.select(sorted(table.column_names)),
    }[change]()
    with pa.OSFile(str(locate_index(place)), "wb") as file, pa.ipc.new_file(file, changed.schema) as writer:
        writer.write_table(changed)
    assert record_index.read_index(place, stamps) == {}
    assert [*map(spell, read_all(place))] == [*map(spell, anew)]


def test_a_link_in_its_place_is_not_followed(place: Store, tmp_path: Path) -> None:
    read_all(place)
    elsewhere = locate_index(place).rename(tmp_path / "elsewhere")
    locate_index(place).symlink_to(elsewhere)
    assert record_index.read_index(place, place.list_record_stamps()) == {}


def test_where_nothing_can_be_kept_there_is_none(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(record_index, "keep_index", refuse)
    assert len(read_all(place)) == 5
    assert not locate_index(place).exists()


def test_without_the_library_all_records_are_read(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    anew = read_all(place)
    locate_index(place).unlink()
    monkeypatch.setattr(run_reader, "import_index", lambda: None)
    assert [*map(spell, read_all(place))] == [*map(spell, anew)]
    assert not locate_index(place).exists()


def test_a_small_run_has_none(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_reader, "LEAST_INDEXED", 6)
    read_all(place)
    assert not locate_index(place).exists()


def test_a_sweep_leaves_the_index_of_its_records_which_nobody_reads_for_it(
    place: Store, records: list[JobRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    for record in records:
        place.write_record(record)
    index_records(place, records)
    monkeypatch.setattr(store, "read_record", lambda path: pytest.fail(f"{path} was read"))
    assert [*map(spell, read_all(place))] == [spell(derive_process(record)) for record in records]


def test_a_record_that_was_edited_during_its_sweep_is_read_anew(place: Store, records: list[JobRecord]) -> None:
    for record in records:
        place.write_record(record)
    path = place.jobs_folder / f"{store.job_name(records[2].spec)}.json"
    path.write_text(path.read_text().replace("because it was raised", "because it was edited"))
    index_records(place, records)
    assert [process.reason for process in read_all(place)][2] == "because it was edited"


def test_reading_a_run_leaves_its_folder_as_it_is(place: Store) -> None:
    def list_files() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in [place.folder, *place.folder.rglob("*")]}

    before = list_files()
    read_all(place)
    assert locate_index(place).is_file()
    assert list_files() == before


def test_a_table_that_came_with_a_run_is_not_read(place: Store, records: list[JobRecord]) -> None:
    read_all(place)
    forged = [each.model_copy(update={"reason": "forged"}) for each in records]
    stamps = place.list_record_stamps()
    record_index.write_index(place, [derive_process(each) for each in forged], stamps)
    made = locate_index(place)
    made.rename(place.folder / ".processes.arrow")
    assert "forged" not in [process.reason for process in read_all(place)]
    (place.folder / ".processes.arrow").rename(made)
    made.chmod(0o666)
    assert "forged" not in [process.reason for process in read_all(place)]


def test_numbers_that_no_column_holds_are_shown_without_an_index(
    place: Store, records: list[JobRecord], make_report: MakeReport
) -> None:
    phases = [{"name": name, "wall_ns": 2**63 - 1, "cpu_ns": 2**63 - 1} for name in ("import", "build", "first_call")]
    hostile = make_report(phases=phases, warmup=((1, 2**63 - 1),) * 40, samples_ns=(2**63 - 1,) * 3)
    place.write_record(records[0].model_copy(update={"result": hostile}))
    run = Run.from_store(place)
    figures = run.processes[0].figures
    assert figures is not None
    assert figures.before_model_ns == 2 * (2**63 - 1)
    assert len(run.cells) == 2
    assert not locate_index(place).exists()


def test_the_hash_covers_all_code_that_a_derivation_imports() -> None:
    covered = {path for pattern in record_index.DERIVING_FILES for path in SOURCE.glob(pattern)}
    reached, waiting = set[Path](), [*SOURCE.glob("orchestrator/analysis/derivation/*.py")]
    while waiting:
        path = waiting.pop()
        if path.name != "__init__.py" and path not in reached:
            reached.add(path)
            waiting += list_imports(path)
    assert SOURCE / "orchestrator/records/migration.py" in reached
    assert reached - covered == set()


def list_imports(path: Path) -> list[Path]:
    """Return the files of this program that a file imports."""
    nodes = [*ast.walk(ast.parse(path.read_text()))]
    names = [each.name for node in nodes if isinstance(node, ast.Import) for each in node.names]
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
    files = [SOURCE.joinpath(*name.split(".")).with_suffix(".py") for name in names]
    return [file for file in files if file.is_file()]


def test_the_results_of_a_run_do_not_depend_on_it(
    make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]], make_run: MakeRun, tmp_path: Path
) -> None:
    cells = [
        (make_cell(label), 1000.0 * (1 + place / 10)) for place, label in enumerate(("numpy:eager", "torch:eager"))
    ]
    place = make_run("compared", make_records(cells))
    plain = Run.from_store(place)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run_reader, "LEAST_INDEXED", 1)
        for _ in range(2):
            found = Run.from_store(place)
            assert repr(found.groups[0].comparisons) == repr(plain.groups[0].comparisons)
            assert found.rows("job") == plain.rows("job")
            assert dict(found.groups[0].curves) == dict(plain.groups[0].curves)


def test_a_record_is_derived_once_while_it_is_in_memory(make_record: MakeRecord) -> None:
    record = make_record()
    assert derive_process(record) is derive_process(record)
    assert derive_process(record) == make_process(record)
