import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from schemas.catalog import DEFAULT_MODES, DTYPES, FRAMEWORKS, WORKER_REQUIREMENTS, Framework, Mode
from schemas.environment import CURRENT
from schemas.workloads import WORKLOADS, Workload

WORKERS = Path(__file__).resolve().parents[2] / "workers"

each_framework = pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
each_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)


def unique(names: Iterable[str]) -> bool:
    listed = list(names)
    return len(listed) == len(set(listed))


def test_names_are_unique() -> None:
    assert unique(framework.name for framework in FRAMEWORKS)
    assert unique(workload.name for workload in WORKLOADS)


def test_a_framework_is_titled_by_its_name_and_recorded_by_its_package_unless_it_says_otherwise() -> None:
    plain = Framework(name="mine", package="my_package", requirement="mine", modes=(), start_s=1)
    assert (plain.title, plain.distributions) == ("mine", ("my_package",))
    assert plain.reported_distributions == ("my_package", *WORKER_REQUIREMENTS)


@each_framework
def test_the_distribution_that_provides_a_framework_is_recorded(framework: Framework) -> None:
    if not (providers := metadata.packages_distributions().get(framework.package)):
        pytest.skip(f"{framework.package} is not installed")
    assert {canonicalize_name(name) for name in providers} <= set(framework.distributions)


@each_framework
def test_a_compiled_mode_has_to_beat_another_mode_of_its_framework(framework: Framework) -> None:
    names = [mode.name for mode in framework.modes]
    assert unique(names)
    for mode in framework.modes:
        assert mode.sibling in {"", *names} - {mode.name}


@each_framework
def test_a_framework_has_the_file_that_a_worker_imports(framework: Framework) -> None:
    assert (WORKERS / "frameworks" / f"{framework.name}.py").is_file()


@each_framework
def test_a_mode_has_the_file_that_a_worker_imports_for_it(framework: Framework) -> None:
    for mode in framework.modes:
        if mode.module:
            assert WORKERS.parent.joinpath(*mode.module.split(".")).with_suffix(".py").is_file()


@each_framework
def test_a_cold_and_a_warm_cache_are_told_by_the_same_variables(framework: Framework) -> None:
    assert framework.caches.keys() in ({"cold", "warm"}, set())
    assert bool(framework.caches) == any(mode.cached for mode in framework.modes)
    if framework.caches:
        assert framework.caches["cold"].keys() == framework.caches["warm"].keys()
        assert framework.caches["cold"] != framework.caches["warm"]


@each_framework
def test_a_modes_own_variables_take_the_place_of_its_caches_and_belong_to_what_it_saves(framework: Framework) -> None:
    for mode in framework.modes:
        assert mode.variables.keys() | mode.file_variables.keys() <= framework.caches.get("cold", {}).keys()
        assert bool(mode.saves) == bool(mode.suffix) or not mode.saves
        assert mode.saves or not (mode.holds_code or mode.file_variables)


@pytest.mark.parametrize("name", ["", "Torch", "torch:eager", "../torch", "a b", "1st"])
def test_a_name_that_no_label_or_file_should_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Mode(name=name, summary="")
    with pytest.raises(ValidationError):
        Framework(name=name, package="numpy", requirement="numpy", modes=(), start_s=1)


@each_framework
def test_the_variables_of_a_framework_name_nothing_but_its_threads(framework: Framework) -> None:
    assert set(framework.dtypes) <= set(DTYPES)
    for text in framework.variables.values():
        assert text.format(threads=3).isdecimal()


@each_framework
def test_what_a_framework_loads_is_exported_by_one_that_exists_and_has_to_be_installed(framework: Framework) -> None:
    if framework.exporter:
        assert framework.exporter in {each.name for each in FRAMEWORKS} & framework.also_needs.keys()
        assert (WORKERS / "exporters" / f"{framework.exporter}.py").is_file()


@each_framework
def test_an_environment_gets_what_the_extra_of_the_same_name_would_install(framework: Framework) -> None:
    project = tomllib.loads(WORKERS.with_name("pyproject.toml").read_text())["project"]
    if framework.environment != CURRENT:
        assert framework.requirement in project["optional-dependencies"][framework.name]
    extras = project["optional-dependencies"]
    needed = {text for name, text in framework.also_needs.items() if name != framework.exporter}
    assert needed <= {*extras["onnx"], *extras.get(framework.name, ())}
    assert WORKER_REQUIREMENTS["pydantic"] in project["dependencies"]


@each_workload
def test_a_workload_has_a_folder_with_its_reference(workload: Workload) -> None:
    assert (WORKERS / "workloads" / workload.name / "reference.py").is_file()


@each_workload
def test_the_defaults_of_a_workload_are_allowed(workload: Workload) -> None:
    assert unique(parameter.name for parameter in workload.parameters)
    for parameter in workload.parameters:
        assert parameter.default >= parameter.minimum


def test_the_question_is_about_modes_that_exist() -> None:
    assert set(DEFAULT_MODES) <= {
        f"{framework.name}:{mode.name}" for framework in FRAMEWORKS for mode in framework.modes
    }
