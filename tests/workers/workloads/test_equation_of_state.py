"""The example of a published benchmark is right in every framework, in float64 and in float32."""

import importlib.util
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from orchestrator.registry.workloads import load_workload_folder

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "examples" / "equation_of_state"


def load_formula() -> ModuleType:
    spec = importlib.util.spec_from_file_location("formula", FOLDER / "formula.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_closed_form_is_the_integral_of_the_derivative_of_specific_volume() -> None:
    compute, log = load_formula().compute_derivative, np.log
    s, t = np.array([0.5, 5.0, 35.0]), np.array([-1.0, 10.0, 25.0])
    # The mixed derivative by pressure is the temperature derivative of specific volume, here by small differences of
    # enthalpy's derivative; at no pressure, enthalpy does not depend on temperature at all.
    whole = compute(s, t, np.full(3, 800.0), np.sqrt, log)
    steps = np.linspace(0, 800, 81)
    parts = [compute(s, t, np.full(3, high), np.sqrt, log) for high in steps[1:]]
    assert np.allclose(parts[-1], whole)
    rates = np.diff([np.zeros(3), *parts], axis=0) / np.diff(steps)[:, None]
    # Thermal expansion times specific volume, times pascal a decibar: 1e4 * 1e-3 m³/kg * (1e-5 to 4e-4) / K.
    assert np.all(rates[:, 1:] > 1e4 * 1e-3 * 1e-5)
    assert np.all(rates < 1e4 * 1e-3 * 4e-4)
    assert np.all(np.abs(np.diff(rates, axis=0)) < 0.05 * np.abs(rates[1:]).max())


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("label", ["numpy:eager", "torch:eager", "torch:script", "tensorflow:function", "jax:jit"])
def test_every_framework_is_right(label: str, dtype: str, ask: "Ask", work: "Work") -> None:
    framework, _, mode = label.partition(":")
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    known = load_workload_folder(FOLDER)
    spec = ask(framework, mode, known.name, {"n": 4096}, task="forward", dtype=dtype, code=known.code)
    report = work(spec.model_copy(update={"source_dir": known.source_dir})).report
    assert report.verification.reason == ""
    exact = [check for check in report.verification.checks if dtype == "float64" or "in float64" in check.inputs]
    assert exact
    assert all(check.error is not None and check.error < 1e-8 for check in exact)
    assert any("its reference loses digits" in note for note in report.notes) == (dtype == "float32")


def test_the_two_forms_of_the_formula_are_the_same_in_text() -> None:
    plain, torch = (FOLDER.joinpath(name).read_text().split('"""') for name in ("formula.py", "torch.py"))
    renamed = torch[4].partition("class Model")[0].replace("torch.", "").replace("1e4 * (", "DBAR * (")
    assert plain[4].strip() == renamed.strip()
