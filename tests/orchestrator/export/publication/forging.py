"""A published run, and folders that a forger has edited: by hand, or with all hashes and conclusions made anew."""

import gc
import json
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from orchestrator.analysis.run import Run
from orchestrator.execution.job_summary import add_summary
from orchestrator.export.publication.conclusion import describe_file, describe_publication, name_folder
from orchestrator.export.publication.contents import DESCRIPTION, format_model
from orchestrator.files.atomic import compress_bytes, decompress_bytes
from orchestrator.planning.order import derive_data_seed, order_cells
from orchestrator.records import store
from orchestrator.records.provenance import make_identity
from orchestrator.records.store import Store, job_name
from orchestrator.records.sweep_settings import format_sweep_file
from orchestrator.report.page.page import render_still_page
from schemas.environment import EnvironmentRecord
from schemas.job import WARMUP_MAX_NS, Cell, JobSpec
from schemas.publication import Publication
from schemas.record import JobRecord
from tests.conftest import QUIET, a_report
from tests.orchestrator.conftest import HOST, NOON, a_cell, a_manifest, a_spec

Edit = Callable[[Any], Any]
BLOCKS = 8
# In the first block, this seed leaves three and four cells in their order.
SEED = 64
PACKAGES = EnvironmentRecord(interpreter="python", python="3.11.0", packages={}, installed={}, freeze="abcdefgh")
# No run of so few blocks knows its ratios as precisely as this.
OUT_OF_REACH = 1e-9
SAMPLES = 8


def noisy_report(seed: int, call_ns: float, **changes: object) -> dict[str, Any]:
    """A report with samples that no other process has: one per cent of noise, and as much between processes."""
    rng = random.Random(seed)
    level = call_ns * (1 + rng.gauss(0, 0.002))
    samples = [round(100 * level * (1 + abs(rng.gauss(0, 0.01)))) for _ in range(SAMPLES)]
    noise = {
        **QUIET,
        **dict.fromkeys(("run_delay_ns", "steal_ns", "pressure_ns"), [0] * SAMPLES),
        "cpu_ns": samples,
        "canary_ns": [9] * SAMPLES,
    }
    return a_report(1000, samples_ns=samples, noise=noise, **changes).model_dump(mode="json")


# What bars a job in its report.
WRONG = {"verification": {"checks": [], "reason": "the gradient of W is off by 12 %"}}
REPORTED: Mapping[str, Mapping[str, object]] = {"measured": {}, "wrong": WRONG}


@dataclass
class Clock:
    """The time at which the next job begins: jobs of a run follow each other."""

    jobs: int = 0

    def observe(self, outcome: str = "measured") -> dict[str, object]:
        """The job as its parent saw it; it took two seconds."""
        self.jobs += 1
        return {
            "started": (NOON + timedelta(seconds=3 * self.jobs)).isoformat(timespec="milliseconds"),
            "spawn_to_end_ns": 2 * 10**9,
            "exit_status": -15 if outcome == "killed" else 0,
            "last_phase": "report" if outcome in REPORTED else "steady",
            "load_before": 0.1,
        }


def a_request(cell: Cell, block: int = 1, position: int = 0, **changes: object) -> JobSpec:
    """The requests that a run with the seed of these tests makes of a job."""
    plain: dict[str, object] = {"seed": derive_data_seed(SEED), "timing": {"warmup_max_ns": WARMUP_MAX_NS}}
    return a_spec(cell, block, position, **plain | changes)


def in_turn(cells: Sequence[Cell], block: int) -> list[tuple[int, Cell]]:
    """The cells in the order in which a block of that run measures them, with their places."""
    return [*enumerate(order_cells(cells, SEED, block))]


def a_job(
    clock: Clock, cell: Cell, block: int, call_ns: float, outcome: str = "measured", **changes: object
) -> JobRecord:
    """A job that was started."""
    spec = changes.pop("spec", None) or a_request(cell, block)
    plain: dict[str, object] = {
        "spec": spec,
        "freeze": PACKAGES.freeze,
        "outcome": outcome,
        "host": HOST,
        "reason": "" if outcome == "measured" else f"because it was {outcome}",
        "result": (
            noisy_report(1000 * clock.jobs + block, call_ns, **REPORTED[outcome]) if outcome in REPORTED else None
        ),
        "outside": clock.observe(outcome),
    }
    return JobRecord.model_validate(plain | changes)


def a_refused(cell: Cell, outcome: str = "unsupported") -> JobRecord:
    """The only record of a cell that was never started."""
    plain = {"spec": a_request(cell), "outcome": outcome, "host": HOST, "reason": f"it is {outcome}", "outside": None}
    return JobRecord.model_validate(plain)


def clone(cell: Cell) -> Cell:
    return cell.model_copy(update={"replica": 1})


MODES = (a_cell("numpy:eager"), a_cell("torch:eager"), a_cell("torch:trace"))
TIMES = dict(zip((cell.id for cell in MODES), (1000.0, 1300.0, 1000.0), strict=True)) | {clone(MODES[0]).id: 1000.0}


def measured_records(cells: Sequence[Cell] = (*MODES, clone(MODES[0])), blocks: int = BLOCKS) -> list[JobRecord]:
    """All blocks of a run in which all goes well."""
    clock = Clock()
    return [
        a_job(clock, cell, block, TIMES.get(cell.id, 1200.0), spec=a_request(cell, block, position))
        for block in range(1, blocks + 1)
        for position, cell in in_turn(cells, block)
    ]


def put_in_turn(records: Iterable[JobRecord], cells: Sequence[Cell]) -> list[JobRecord]:
    """Give the jobs of each block their places by the seed, and the times of the block in that order."""
    blocks: defaultdict[int, list[JobRecord]] = defaultdict(list)
    for record in records:
        blocks[record.spec.block if record.outside else 0].append(record)
    moved = blocks.pop(0, [])
    for block, found in blocks.items():
        listed = {record.spec.cell.id for record in found}
        places = {cell.id: place for place, cell in in_turn([cell for cell in cells if cell.id in listed], block)}
        found.sort(key=lambda record: (places[record.spec.cell.id], record.spec.attempt))
        starts = sorted(record.outside.started for record in found if record.outside)
        for record, start in zip(found, starts, strict=True):
            assert record.outside is not None
            spec = record.spec.model_copy(update={"position": places[record.spec.cell.id]})
            outside = record.outside.model_copy(update={"started": start})
            moved.append(record.model_copy(update={"spec": spec, "outside": outside}))
    return moved


def a_run_folder(root: Path, records: Sequence[JobRecord], **changes: object) -> Store:
    """A finished run on disk, as `sweep` leaves it, with logs. Its cells are in the order of their first records."""
    cells = {record.spec.cell.id: record.spec.cell for record in records}
    run = store.create_run(root, "mine", NOON)
    plain: dict[str, object] = {
        "command": ("sweep", "--runs", "/home/alice/runs"),
        "seed": SEED,
        "environments": {"current": PACKAGES},
        "stopped": f"all {(blocks := max(record.spec.block for record in records))} blocks were run",
    }
    sweep = {"name": "mine", "stop": {"blocks": blocks, "precision": OUT_OF_REACH}}
    asked = changes.pop("sweep", {})
    assert isinstance(asked, Mapping)
    manifest = a_manifest(cells.values(), **plain | changes | {"sweep": {**sweep, **asked}})
    if "identity" not in changes:
        manifest = manifest.model_copy(
            update={"identity": make_identity(manifest.original_sweep, manifest.seed, manifest.cells)}
        )
    run.write_manifest(manifest)
    for record in put_in_turn(records, (*cells.values(),)):
        run.write_record(add_summary(record))
        run.log_path(record.spec).write_text("printed in /home/alice/secret by alice@example.org\n")
    return run


def edit_json(path: Path, edit: Edit) -> None:
    """Edit a document of a publication in place; `edit` changes it, or returns another one."""
    content = path.read_bytes()
    document = json.loads(decompress_bytes(content) if path.suffix == ".gz" else content)
    changed = edit(document)
    text = json.dumps(document if changed is None else changed).encode()
    path.write_bytes(compress_bytes(text) if path.suffix == ".gz" else text)


def reseal(folder: Path) -> None:
    """Write the hashes of all files into the description, as a forger would."""
    files = {
        path.relative_to(folder).as_posix(): describe_file(path.read_bytes()).model_dump()
        for path in folder.rglob("*")
        if path.is_file() and path.name != DESCRIPTION
    }
    edit_json(folder / DESCRIPTION, lambda said: said.update(files=files))


def replace_samples(run: Store) -> None:
    """Put drawn samples into the records of a real run, because a busy machine may tell its clones apart.

    Each block and cell has its own, whatever the order of the jobs, so that one run is concluded like the next.
    """
    for number, record in enumerate(sorted(run.read_records(), key=lambda each: (each.spec.block, each.spec.cell.id))):
        assert record.report is not None
        drawn = tuple(noisy_report(number, 10_000)["samples_ns"][: len(record.report.samples_ns)])
        noise = record.report.noise.model_copy(update={"cpu_ns": drawn})
        report = record.report.model_copy(update={"samples_ns": drawn, "calls": 100, "noise": noise})
        run.write_record(add_summary(record.model_copy(update={"result": report})))


def list_record_files(folder: Path, part: str = "") -> list[Path]:
    """The records of a publication whose names contain this."""
    return [path for path in sorted((folder / "jobs").iterdir()) if part in path.name]


def forge(
    folder: Path,
    records: Callable[[list[JobRecord]], Iterable[JobRecord]] = lambda found: found,
    manifest: Mapping[str, object] | None = None,
) -> Path:
    """Change records or the manifest, and make anew all that follows from them, names and hashes included."""
    place = Store(folder)
    said = place.read_manifest().model_copy(update=dict(manifest or {}))
    if said.identity is not None and "identity" not in (manifest or {}):
        hashed = make_identity(said.original_sweep, said.seed, said.cells).sweep
        said = said.model_copy(update={"identity": said.identity.model_copy(update={"sweep": hashed})})
    made = [add_summary(record) for record in records(place.read_records())]
    unnamed = Run(name="", manifest=said, records=tuple(made))
    target = folder.with_name(name_folder(describe_publication(unnamed, {})))
    run = Run(name=target.name, manifest=said, records=tuple(made))
    shutil.rmtree(folder / "jobs")
    files = {
        "manifest.json": format_model(said),
        "sweep.toml": format_sweep_file(said).encode(),
        "report.html": render_still_page(run).encode(),
        **{f"jobs/{job_name(each.spec)}.json.gz": compress_bytes(format_model(each)) for each in made},
    }
    files["publication.json"] = format_model(describe_publication(run, files))
    folder.rename(target)
    (target / "jobs").mkdir()
    for name, content in files.items():
        (target / name).write_bytes(content)
    return target


def read_publication(folder: Path) -> Publication:
    return Publication.model_validate_json((folder / DESCRIPTION).read_bytes())


def walk_objects(start: object) -> Iterator[object]:
    """Everything that an object holds on to, without classes, modules and functions."""
    seen, left = set[int](), [start]
    while left:
        found = left.pop()
        if id(found) not in seen and not isinstance(found, type | ModuleType | FunctionType):
            seen.add(id(found))
            yield found
            left += gc.get_referents(found)
