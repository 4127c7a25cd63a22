"""The owners of hazards, read from the source itself; the directions of imports are contracts in pyproject.toml."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORKS = {"torch", "tensorflow", "jax", "keras", "onnxruntime", "openvino", "numba", "tinygrad", "tract"}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """The top-level packages that a module imports, wherever in it; "." for a relative import."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else str(node.module).partition(".")[0]


def importers(package: str, *names: str) -> set[str]:
    """The files of a package that import one of these names."""
    return {str(path.relative_to(ROOT)) for path in files(package) if {*names} & {*imported(path.read_text())}}


def nodes(package: str, kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for path in files(package):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kind):
                yield str(path.relative_to(ROOT)), node


def test_this_file_sees_every_way_to_import() -> None:
    source = "import a.b\nfrom c.d import e\nfrom . import f\ndef g() -> None:\n    import h as i, j\n"
    assert set(imported(source)) == {"a", "c", ".", "h", "j"}


@pytest.mark.parametrize("package", ["schemas", "workers", "orchestrator"])
def test_no_import_is_relative(package: str) -> None:
    assert files(package)
    assert importers(package, ".") == set()


def test_schemas_import_pydantic_and_the_standard_library_only() -> None:
    allowed = {"schemas", "pydantic", *sys.stdlib_module_names}
    for path in files("schemas"):
        assert set(imported(path.read_text())) <= allowed, path


def test_every_import_contract_is_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]  # it need not be on the PATH
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_analysis_loads_no_process_supervisor() -> None:
    program = "import sys; import orchestrator.analysis.results; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "orchestrator.analysis.results" in loaded
    assert loaded & {"psutil", "subprocess", "orchestrator.execution.supervisor"} == set()


@pytest.mark.parametrize("framework", sorted(FRAMEWORKS))
def test_a_framework_is_imported_only_in_files_that_are_named_after_it(framework: str) -> None:
    for name in importers("workers", framework):
        path = Path(name)
        assert framework in path.stem.split("_")  # `keras_torch` is Keras on PyTorch, and imports both
        assert path.parts[1] in ("frameworks", "workloads", "models", "exporters", "profilers")


@pytest.mark.parametrize(
    ("hazard", "owners"),
    [
        ("subprocess", {"orchestrator/processes/process.py"}),
        ("multiprocessing", set[str]()),
        ("tomllib", {"orchestrator/files/toml.py"}),
        ("jinja2", {"orchestrator/report/page/page.py", "orchestrator/report/page/templates.py"}),
        ("starlette", {"orchestrator/report/server/app.py", "orchestrator/report/server/guard.py"}),
        ("uvicorn", {"orchestrator/report/server/run.py"}),
        ("vl_convert", {"orchestrator/report/page/vega.py"}),
    ],
)
def test_a_hazard_has_one_owner(hazard: str, owners: set[str]) -> None:
    assert importers("orchestrator", hazard) == owners


def test_scipy_is_for_statistics() -> None:
    rooms = {Path(name).parts[1] for name in importers("orchestrator", "scipy")}
    assert rooms <= {"analysis", "comparison"}


def test_rich_is_for_what_a_person_looks_at() -> None:
    assert {Path(name).parts[1] for name in importers("orchestrator", "rich")} == {"cli", "progress", "report"}


def test_the_analysis_neither_reads_nor_writes_nor_looks_at_a_clock() -> None:
    outside = {"os", "io", "pathlib", "time", "datetime", "random", "rich", "subprocess", "socket", "sys"}
    assert importers("orchestrator/analysis", *outside) == set()


def test_only_the_store_puts_paths_together() -> None:
    joins = {
        name
        for name, node in nodes("orchestrator", ast.BinOp)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and (isinstance(node.right, ast.JoinedStr) or isinstance(getattr(node.right, "value", None), str))
    }
    assert joins == {"orchestrator/records/store.py", "orchestrator/environments/cache.py"}  # what is kept for all runs


def test_only_the_store_knows_the_name_of_the_manifest() -> None:
    said = {
        name
        for name, node in nodes("orchestrator", ast.Constant)
        if isinstance(node, ast.Constant) and "manifest.json" in str(node.value)
    }
    assert said == {"orchestrator/records/store.py"}


def test_only_the_command_line_exits() -> None:
    exits = {
        name
        for name, node in nodes("orchestrator", ast.Attribute)
        if isinstance(node, ast.Attribute) and node.attr in ("exit", "_exit", "abort")
    }
    # All but the last end at once where a signal comes before anything is there that could clean up.
    early = {"orchestrator/__init__.py", "orchestrator/__main__.py", "orchestrator/cli/__init__.py"}
    assert exits == early | {"orchestrator/cli/app.py"}


@pytest.mark.parametrize("package", ["schemas", "workers", "orchestrator"])
def test_nothing_is_unpickled(package: str) -> None:
    assert importers(package, "pickle", "marshal", "shelve", "dill", "cloudpickle") == set()
