"""Callables of a test as the variants of a sweep: each process runs the test again up to its comparison."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import NotMeasured, Unresolved, UsageError
from orchestrator.functions.compare import FEWEST, measure_models
from orchestrator.functions.results import FunctionComparison, FunctionResult, collect_results
from schemas.job import Dtype
from schemas.models import PytestCase

MARKER = "plumbline"

# Frameworks by the package that defines the type of a result.
RESULT_PACKAGES = {"torch": "torch", "tensorflow": "tensorflow", "jax": "jax", "jaxlib": "jax", "numpy": "numpy"}

# Plugins that the processes have instead of this one, and the mark of a worker of pytest-xdist, which has no terminal.
OWN_PLUGINS = ("plumbline", "orchestrator.functions.pytest_plugin", "no:terminal")

# The dtypes of a cell, by that of a result. Results of other types are compared exactly or nearly so.
DTYPES: Mapping[str, Dtype] = {"bfloat16": "bfloat16", "float16": "float16", "float64": "float64"}


class TestedResult(FunctionResult):
    """One callable of a test. An open question skips the test, and a callable without a time fails it."""

    def faster_than(self, other: FunctionResult, by: float = 0.0) -> bool:
        """Return whether a call takes less time than the other's, by at least this share of it."""
        try:
            return super().faster_than(other, by)
        except (Unresolved, NotMeasured) as error:
            found: Exception = error
        # Outside of the handler, or pytest would show the error as the cause.
        if isinstance(found, Unresolved):
            pytest.skip(str(found))
        pytest.fail(str(found), pytrace=False)


def compare_callables(request: pytest.FixtureRequest, callables: Mapping[str, Callable[[], Any]]) -> FunctionComparison:
    """Measure the callables of the test that makes this request.

    Raises:
        UsageError: one of them cannot be measured.
    """
    if "PLUMBLINE_PARENT" in os.environ:
        raise UsageError("a process that measures this test has the fixture of another; load it only by its name")
    if len(callables) < FEWEST:
        raise UsageError("name at least two callables to compare, as in compare(old=lambda: f(x), new=lambda: g(x))")
    # Once here: a mistake is an error of this test, with its traceback, before any process starts.
    results = {name: detect_result(name, each()) for name, each in callables.items()}
    item, case = request.node, describe_case(request)
    marker = item.get_closest_marker(MARKER)
    settings = {"dtype": next(dtype for _, dtype in results.values()), **(marker.kwargs if marker else {})}
    runs = Path(settings.pop("runs", "") or request.getfixturevalue("tmp_path_factory").mktemp(MARKER))
    models = [
        {
            "source": f"{item.path}:{name}",
            "folder": str(request.config.rootpath),
            "name": name,
            "framework": framework,
            "test": case.model_dump(),
        }
        for name, (framework, _) in results.items()
    ]
    return collect_results(measure_models(models, runs, settings, progress=False), callables, TestedResult)


def detect_result(name: str, made: object) -> tuple[str, Dtype]:
    """Return the framework of what a callable returns, and the dtype in which it is compared.

    Raises:
        UsageError: nothing in it can be compared.
    """
    for leaf in list_leaves(made):
        for package in (kind.__module__.partition(".")[0] for kind in type(leaf).__mro__):
            if package in RESULT_PACKAGES:
                dtype = getattr(leaf, "dtype", "")
                # Types of PyTorch have no name but that of their text.
                name = str(getattr(dtype, "name", dtype)).rpartition(".")[2]
                return RESULT_PACKAGES[package], DTYPES.get(name, "float32")
    raise UsageError(
        f"{name} returns a {type(made).__name__} without tensors or arrays; return the results, which are verified"
    )


def list_leaves(value: object) -> Iterator[object]:
    """Yield the values in nested tuples, lists, dictionaries and objects with fields."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from list_leaves(each)
    elif hasattr(value, "__dataclass_fields__"):
        yield from list_leaves(list(vars(value).values()))
    else:
        yield value


def describe_case(request: pytest.FixtureRequest) -> PytestCase:
    """Describe a test and the settings of pytest that decide what it finds."""
    config = request.config
    option = config.option
    paired = [("--import-mode", option.importmode), ("--confcutdir", option.confcutdir), ("-c", config.inipath)]
    listed = [("-p", option.plugins), ("-o", option.override_ini), ("-W", option.pythonwarnings)]
    arguments = [f"--rootdir={config.rootpath}"]
    for name, value in [*paired, *((name, each) for name, values in listed for each in values or ())]:
        if value and value not in OWN_PLUGINS:
            arguments += [name, str(value)]
    return PytestCase(
        node=request.node.nodeid.partition("::")[2],
        folder=str(config.invocation_params.dir),
        arguments=tuple(arguments),
        options=dict(list_own_options(config)),
        path=tuple(each for each in sys.path if each),
    )


def list_own_options(config: pytest.Config) -> Iterator[tuple[str, str | int | float]]:
    """Yield the values of the options that the user's conftest.py has added, as far as they are plain."""
    group = getattr(getattr(config, "_parser", None), "_anonymous", None)  # pytest lists them nowhere else
    for each in getattr(group, "options", ()):
        value = getattr(config.option, each.dest, None)
        if isinstance(value, str | int | float):
            yield each.dest, value
