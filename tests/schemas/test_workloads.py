"""Workloads and suites: what a file of a workload may say, and what the built-in ones are made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.base import MAX_INTEGER
from schemas.catalog import FRAMEWORKS, TASKS
from schemas.workloads import SUITES, WORKLOADS, Parameter, ParameterTable, Workload, WorkloadFile

each_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
each_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
LABELS = {f"{framework.name}:{mode.name}" for framework in FRAMEWORKS for mode in framework.modes}


@each_workload
def test_a_preset_sets_parameters_that_exist_to_values_that_are_allowed(workload: Workload) -> None:
    minima = {parameter.name: parameter.minimum for parameter in workload.parameters}
    for name, sizes in workload.presets.items():
        assert sizes.keys() <= minima.keys(), name
        assert all(size >= minima[parameter] for parameter, size in sizes.items()), name


@each_workload
def test_every_parameter_and_workload_is_explained(workload: Workload) -> None:
    for summary in (workload.summary, *(parameter.summary for parameter in workload.parameters)):
        assert summary
        assert not summary.endswith(".")
        assert summary.isprintable()


@each_workload
def test_a_built_in_workload_has_neither_folder_nor_code_nor_package(workload: Workload) -> None:
    assert (workload.source_dir, workload.package, workload.code, workload.reference) == ("", "", "", "")


@each_suite
def test_a_suite_names_workloads_tasks_and_modes_that_exist(suite: object) -> None:
    known = {workload.name: workload for workload in WORKLOADS}
    assert isinstance(suite, type(SUITES[0]))
    for text in suite.workloads:
        name, *sizes = text.split(":")
        named = {size.partition("=")[0] for size in sizes}
        allowed = {parameter.name for parameter in known[name].parameters} | known[name].presets.keys()
        assert named <= allowed, text
    assert {*suite.tasks} <= {*TASKS}
    assert {*suite.frameworks} <= LABELS | {framework.name for framework in FRAMEWORKS}


def test_names_of_suites_are_unique() -> None:
    names = [suite.name for suite in SUITES]
    assert len({*names}) == len(names)


@pytest.mark.parametrize("value", [-1, MAX_INTEGER + 1, 1.5, "many", None])
def test_a_size_is_a_natural_number_that_a_file_name_can_hold(value: object) -> None:
    with pytest.raises(ValidationError):
        Parameter.model_validate({"name": "x", "default": value, "minimum": 0, "summary": ""})
    with pytest.raises(ValidationError):
        ParameterTable.model_validate({"default": value})


def test_a_file_that_says_nothing_is_a_workload_without_parameters() -> None:
    assert WorkloadFile() == WorkloadFile(name="", summary="", reference="", parameters={}, presets={})


def test_a_parameter_needs_only_its_default() -> None:
    assert ParameterTable.model_validate({"default": 3}) == ParameterTable(default=3, minimum=1, summary="")


@pytest.mark.parametrize("word", ["width", "W_h", "_x", "two-words", "x" * 60])
def test_a_word_is_fit_for_a_command_line(word: str) -> None:
    assert word in WorkloadFile.model_validate({"parameters": {word: {"default": 1}}}).parameters


@pytest.mark.parametrize("word", ["", "1st", "a b", "a=b", "a:b", "a/b", "a,b", "ü", "x" * 61, "a\n"])
def test_a_word_that_a_command_line_would_take_apart_is_refused(word: str) -> None:
    tables: list[dict[str, object]] = [
        {"parameters": {word: {"default": 1}}},
        {"presets": {word: {}}},
        {"presets": {"small": {word: 1}}},
    ]
    for said in tables:
        with pytest.raises(ValidationError):
            WorkloadFile.model_validate(said)


@pytest.mark.parametrize("said", [{"name": "x" * 61}, {"extra": 1}, {"parameters": {"x": 3}}, {"presets": [1]}])
def test_a_file_of_another_form_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WorkloadFile.model_validate(said)


@pytest.mark.long
@given(
    st.dictionaries(st.from_regex(r"\A[a-z][a-z_]{0,9}\Z"), st.integers(0, MAX_INTEGER), max_size=4),
    st.text(max_size=20),
)
def test_what_a_file_says_comes_back_from_json_as_it_was(sizes: dict[str, int], summary: str) -> None:
    said = WorkloadFile.model_validate(
        {"summary": summary, "parameters": {name: {"default": size} for name, size in sizes.items()}}
    )
    assert WorkloadFile.model_validate_json(said.model_dump_json()) == said
