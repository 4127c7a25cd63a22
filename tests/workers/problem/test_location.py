"""A user's folder is a package in the worker, with exactly the code that the sweep was planned with."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.registry import workload_template
from schemas.code import hash_workload_code
from schemas.event import Failure, Report
from schemas.job import JobSpec

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Work

IMPORTING = """
import json, sys
from importlib import import_module
from schemas.job import JobSpec
from workers.problem.location import resolve_package
spec = JobSpec.model_validate_json(sys.stdin.buffer.read())
package = resolve_package(spec)
found = [import_module(f"{package}.{name}") for name in ("numpy", "blocks.deep")]
print(json.dumps([package, *(module.WHAT for module in found), sorted(sys.path)]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return workload_template.write_template("mine", tmp_path).resolve()


@pytest.fixture
def spec(folder: Path, ask: "Ask") -> JobSpec:
    return of(folder, ask)


def of(folder: Path, ask: "Ask") -> JobSpec:
    job = ask("numpy", "eager", "mine", {"width": 3, "hidden": 5}, batch=2, code=hash_workload_code(folder))
    return job.model_copy(update={"source_dir": str(folder)})


def test_files_import_each_other_with_a_dot_and_a_framework_by_its_name(
    folder: Path, ask: "Ask", python: "Python"
) -> None:
    (folder / "blocks").mkdir()
    (folder / "__init__.py").write_text("MARK = 'mine'\n")
    (folder / "blocks" / "deep.py").write_text("from .. import MARK\nWHAT = f'deep in {MARK}'\n")
    (folder / "numpy.py").write_text("import numpy as np\nfrom . import reference\nWHAT = np.__name__\n")
    said = json.loads(python(IMPORTING, of(folder, ask).model_dump_json().encode()).output)
    assert said[:3] == ["plumbline_workload", "numpy", "deep in mine"]
    assert str(folder) not in said[3]


def test_a_folder_is_measured_and_left_as_it_was(spec: JobSpec, folder: Path, work: "Work") -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    report = work(spec).report
    assert report.verification.reason == ""
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_what_was_compiled_of_other_code_is_not_run_however_alike_the_files_look(
    folder: Path, ask: "Ask", python: "Python"
) -> None:
    (folder / "numpy.py").write_text("WHAT = 'before'\n")
    (folder / "blocks").mkdir()
    (folder / "blocks" / "deep.py").write_text("WHAT = 'before'\n")
    stamp = (folder / "numpy.py").stat()
    python(f"import compileall; compileall.compile_dir({str(folder)!r})")
    for path in (folder / "numpy.py", folder / "blocks" / "deep.py"):
        path.write_text("WHAT = 'laters'\n")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    said = json.loads(python(IMPORTING, of(folder, ask).model_dump_json().encode()).output)
    assert said[1:3] == ["laters", "laters"]


def test_code_that_was_changed_after_the_planning_is_not_measured(spec: JobSpec, folder: Path, work: "Work") -> None:
    (folder / "torch.py").write_text("# another\n")
    assert work(spec).events[-1] == Failure(
        outcome="raised", reason=f"the code in {folder} has changed since this sweep was planned; start a new sweep"
    )


def test_code_that_is_changed_while_it_is_measured_does_not_count(
    spec: JobSpec, folder: Path, ask: "Ask", work: "Work"
) -> None:
    reference = folder / "reference.py"
    edit = f"\nfrom pathlib import Path\nPath({str(folder / 'later.py')!r}).touch()\n"
    reference.write_text(reference.read_text() + edit)
    last = work(of(folder, ask)).events[-1]
    assert isinstance(last, Failure)
    assert last.reason.endswith("has changed since this sweep was planned; start a new sweep")


def test_a_folder_that_is_gone_and_a_package_that_is_not_installed_are_named(
    spec: JobSpec, tmp_path: Path, work: "Work"
) -> None:
    gone = work(spec.model_copy(update={"source_dir": str(tmp_path / "gone")})).events[-1]
    assert gone == Failure(outcome="raised", reason=f"cannot read {tmp_path / 'gone'}: No such file or directory")
    missing = work(spec.model_copy(update={"source_dir": "", "package": "no_such_package"})).events[-1]
    assert isinstance(missing, Failure)
    assert missing.reason.startswith("the package no_such_package is not in this environment")


def test_ours_are_at_home_among_ours(ask: "Ask", work: "Work") -> None:
    assert isinstance(work(ask("numpy", "eager", "mlp")).events[-1], Report)
