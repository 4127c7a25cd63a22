"""Names of environments mean the current one, an external interpreter, or one that is made here."""

import re
import sys
import venv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.environments.lookup import Environments, to_absolute_interpreter
from orchestrator.errors import UsageError
from schemas.catalog import FRAMEWORKS, Framework, Mode
from schemas.environment import CURRENT, DEFAULT, EnvironmentSpec
from schemas.job import Cell, Export, JobSpec
from tests.orchestrator.environments.conftest import RecordedProvisioner
from tests.orchestrator.environments.witness import OTHER_MINOR, make_witness

MakeCell = Callable[..., Cell]
TINY = {"tiny": EnvironmentSpec(requirements=("tiny==1.0",), variables={"TINY_FLAGS": "x"})}


def framework(package: str, **changes: object) -> Framework:
    plain = {
        "name": "f",
        "package": package,
        "requirement": "that-package==1.2",
        "start_s": 1,
        "modes": (Mode(name="m", summary=""),),
    }
    return Framework.model_validate(plain | changes)


def named(name: str) -> Framework:
    return next(framework for framework in FRAMEWORKS if framework.name == name)


@pytest.fixture
def environments(made: RecordedProvisioner) -> Environments:
    return Environments(TINY, made.home)


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """Return the interpreter of an environment without packages."""
    venv.create(tmp_path / "bare", symlinks=True)
    return str(tmp_path / "bare" / "bin" / "python")


@pytest.mark.long
def test_the_current_environment_is_the_interpreter_that_runs_this(environments: Environments) -> None:
    here = environments.find(CURRENT)
    assert str(here.python) == sys.executable
    assert here.record is not None
    assert here.record.packages["pydantic"]


@pytest.mark.long
def test_an_installed_framework_lacks_nothing(environments: Environments) -> None:
    assert environments.find(CURRENT).explain_missing(framework("numpy")) == ""


def test_a_framework_that_is_not_installed_comes_with_the_command_that_installs_it(environments: Environments) -> None:
    reason = environments.find(CURRENT).explain_missing(framework("a_package_that_nobody_has"))
    assert reason.startswith("a_package_that_nobody_has is not installed here")
    assert f"{sys.executable} -m pip install that-package==1.2" in reason


def test_what_exporting_needs_is_asked_for_where_it_is_exported(environments: Environments) -> None:
    needy = framework("numpy", exporter="torch", also_needs={"nobody_has": "nobody-has>1", "nor_this": "this==2"})
    assert environments.find(CURRENT).explain_missing(needy) == ""
    reason = environments.find(CURRENT).explain_missing_for_export(needy)
    assert reason.startswith("nobody_has, nor_this are not installed here")
    assert "-m pip install 'nobody-has>1' this==2`" in reason


def test_somebody_elses_interpreter_is_taken_as_it_is_and_told_what_it_lacks(
    environments: Environments, bare: str
) -> None:
    reason = environments.inspect(bare).explain_missing(named("torch"))
    assert reason.startswith("torch, numpy, pydantic>=2.10, autograd>=1.9 are not installed there; ")
    assert f"`{bare} -m pip install torch==2.13.0 numpy 'pydantic>=2.10' 'autograd>=1.9'`" in reason


def test_a_parser_that_is_too_old_for_a_worker_is_as_good_as_none(bare: str, environments: Environments) -> None:
    (site,) = Path(bare).parents[1].glob("lib/python3*/site-packages")
    for name, version in (("pydantic", "2.9.9"), ("numpy", "1.0"), ("autograd", "1.9")):
        (site / f"{name}.py").touch()
        (site / f"{name}-{version}.dist-info").mkdir()
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    assert (
        environments.inspect(bare)
        .explain_missing(framework("numpy"))
        .startswith("pydantic>=2.10 is not installed there")
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("curent", "unknown environment 'curent'; did you mean current"),
        ("/no/such/python", "/no/such/python is not an executable interpreter"),
        ("/", "/ is a folder; name the interpreter in it, such as /bin/python"),
        (__file__, f"{__file__} is not an executable interpreter"),
    ],
)
def test_another_name_is_refused(environments: Environments, name: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        environments.find(name)


def test_one_that_is_made_here_says_what_is_in_it_and_sets_its_variables(environments: Environments) -> None:
    tiny = environments.find("tiny")
    assert tiny.record is not None
    assert (tiny.record.packages["tiny"], tiny.variables) == ("1.0", {"TINY_FLAGS": "x"})
    assert tiny.explain_missing(framework("tiny")) == ""
    reason = tiny.explain_missing(framework("giant", requirement="giant==2"))
    assert reason == "giant is not in the environment tiny; add giant==2 to its requirements"


def test_one_that_is_not_made_yet_is_missing_and_is_not_said_to_lack_anything(environments: Environments) -> None:
    older = environments.find("tiny@0.1")
    assert (older.record, older.freeze) == (None, "")
    assert older.explain_missing(framework("giant")) == ""


def test_an_environment_for_one_framework_is_refused_to_another_before_it_is_made(
    environments: Environments, make_cell: MakeCell
) -> None:
    reason = environments.explain_refusal(make_cell("torch:eager", environment="tensorflow@2.20"))
    assert reason == "the environment tensorflow@2.20 is for tensorflow, and torch is not in it"
    assert environments.explain_refusal(make_cell("tensorflow:eager", environment="tensorflow@2.20")) == ""


@pytest.mark.parametrize(
    ("text", "of", "name"),
    [
        (DEFAULT, "torch", "torch"),
        (DEFAULT, "numpy", CURRENT),
        (CURRENT, "torch", CURRENT),
        ("tensorflow@2.20", "tensorflow", "tensorflow@2.20"),
        ("/x/bin/python", "torch", "/x/bin/python"),
    ],
)
def test_each_framework_has_a_default_of_its_own(environments: Environments, text: str, of: str, name: str) -> None:
    assert environments.resolve_name(text, of) == name


def test_a_path_is_told_from_the_root_and_its_links_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to("/usr/bin/env")
    monkeypatch.chdir(tmp_path)
    assert to_absolute_interpreter("./link") == str(tmp_path / "link")
    assert to_absolute_interpreter("~/python") == str(Path.home() / "python")


def test_models_are_exported_in_an_environment_for_that_unless_the_cells_own_is_not_made_here(
    environments: Environments, make_cell: MakeCell, make_spec: Callable[..., JobSpec]
) -> None:
    cells = {
        name: make_cell("onnxruntime:session", environment=name) for name in (CURRENT, "/x/python", "onnxruntime@1.30")
    }
    assert [environments.choose_export_environment(cell) for cell in cells.values()] == [
        CURRENT,
        "/x/python",
        "torch-export",
    ]
    assert list(environments.find_for_cells([cells["onnxruntime@1.30"]])) == ["onnxruntime@1.30", "torch-export"]
    spec = make_spec(cells["onnxruntime@1.30"])
    assert environments.find_for_job(spec).name == "onnxruntime@1.30"
    assert environments.find_for_job(spec.model_copy(update={"purpose": Export(path="/file")})).name == "torch-export"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("litert:interpreter", "tensorflow-export"),
        ("executorch:xnnpack", "executorch"),
        ("iree:compiled", "iree-export"),
        ("openvino:compiled", "torch-export"),
    ],
)
def test_the_catalog_names_the_environment_that_exports(
    environments: Environments, make_cell: MakeCell, label: str, name: str
) -> None:
    cell = make_cell(label, environment=label.partition(":")[0])
    assert environments.choose_export_environment(cell) == name


def test_only_what_is_not_there_is_missing(environments: Environments, make_cell: MakeCell) -> None:
    cells = [make_cell(environment=name) for name in ("tiny", "tiny@0.1", CURRENT)]
    assert [each.name for each in environments.list_missing(cells)] == ["tiny@0.1"]


def test_what_is_in_use_is_told_with_what_is_in_it(environments: Environments, make_cell: MakeCell) -> None:
    with environments.hold_for_cells([make_cell(environment=name) for name in ("tiny", CURRENT)]) as records:
        assert records.keys() == {"tiny", CURRENT}
        assert records["tiny"].packages["tiny"] == "1.0"


def test_a_cell_is_refused_if_what_runs_or_exports_it_cannot_be_made(
    environments: Environments, make_cell: MakeCell
) -> None:
    cells = [make_cell("onnxruntime:session", environment=name) for name in ("onnxruntime", CURRENT)]
    environments.remember_failures({"torch-export": "no torch-export", "jax": "no jax"})
    assert environments.explain_refusal(cells[0]) == "no torch-export"
    assert environments.explain_refusal(make_cell("jax:jit", environment="jax")) == "no jax"
    assert "torch-export" not in environments.explain_refusal(cells[1])


def test_what_was_looked_up_is_remembered_until_something_newer_is(environments: Environments) -> None:
    first = environments.find("tiny@0.1")
    assert environments.find("tiny@0.1") is first
    made = replace(first, record=environments.find("tiny").record)
    environments.remember([made])
    assert environments.find("tiny@0.1") is made
    assert environments.find("tiny") is not made


@pytest.mark.parametrize("name", ["{python}", "by_path", "by_version"])
def test_an_interpreter_that_must_be_asked_is_asked_when_it_is_inspected_and_not_before(
    name: str, made: RecordedProvisioner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, started = make_witness(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    own = {
        "by_path": EnvironmentSpec(requirements=("tiny==1.0",), python=str(python)),
        "by_version": EnvironmentSpec(requirements=("tiny==1.0",), python=OTHER_MINOR),
    }
    environments = Environments(own, made.home)
    found = environments.find(name.format(python=python))
    assert (found.is_inspected, found.record, started.exists()) == (False, None, False)
    assert found.explain_missing(named("torch")) == ""
    found = environments.inspect(found.name)
    assert (found.is_inspected, started.exists()) == (True, True)
    assert found.base == (str(python) if found.definition else "")
    started.unlink()
    assert environments.find(found.name) is environments.inspect(found.name) is found
    assert not started.exists()


def test_cells_tell_once_that_interpreters_had_to_be_asked(
    environments: Environments, make_cell: MakeCell, bare: str
) -> None:
    assert not environments.inspect_for_cells([make_cell(environment=name) for name in ("tiny", CURRENT)])
    cells = [make_cell(environment=name) for name in ("tiny", bare)]
    assert environments.inspect_for_cells(cells)
    assert not environments.inspect_for_cells(cells)


def test_what_a_mode_saves_itself_is_saved_in_the_environment_of_its_cell(environments: Environments) -> None:
    for framework in ("torch", "tensorflow", "jax"):
        cell = Cell(framework=framework, mode="x", workload="mlp", environment=framework, origin="file")
        assert environments.choose_export_environment(cell) == framework
    cell = Cell(framework="onnxruntime", mode="x", workload="mlp", environment="onnxruntime")
    assert environments.choose_export_environment(cell) == "torch-export"
