"""Functions named by their import paths, measured by real workers as a sweep measures models."""

import os
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from orchestrator import api
from orchestrator.errors import UsageError
from orchestrator.functions.compare import choose_folder, describe_sweep, name_function

# One block of short processes: enough for records, and for no verdict.
QUICK: dict[str, Any] = {"blocks": 1, "timing": {"samples": 10, "sample_ns": 100_000, "warmup_min_ns": 1_000_000}}

SUMS = """
import numpy as np

def slow(x):
    total = np.zeros(x.shape[1], x.dtype)
    for row in x:
        total = total + row
    return total

def fast(x):
    return x.sum(0)

def wrong(x):
    return 2 * x.sum(0)

def broken(x):
    raise ValueError("no such sum")
"""
INPUTS = "import numpy as np\ndef inputs(batch=1):\n    return np.random.standard_normal((50 * batch, 4))\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with functions and their inputs, in the current folder."""
    folder = tmp_path / "sums"
    folder.mkdir()
    for name, text in (("__init__", ""), ("f", SUMS), ("data", INPUTS)):
        folder.joinpath(f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return folder


def test_functions_are_measured_verified_and_recorded_as_a_sweep_does_it(
    package: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    functions = {"slow": "sums.f:slow", "fast": "sums.f:fast", "broken": "sums.f:broken", "wrong": "sums.f:wrong"}
    found = api.compare(functions, inputs="sums.data:inputs", batch=2, runs=tmp_path / "runs", **QUICK)
    assert [found[name].outcome for name in functions] == ["measured", "measured", "raised", "wrong"]
    assert found["fast"].time_ns < found["slow"].time_ns
    assert "no such sum" in found["broken"].reason
    assert "wrong computes something else than the first model" in found["wrong"].reason
    assert "block 1, process 1 of" in capfd.readouterr().err
    with pytest.raises(api.Unresolved, match="after 1 blocks"):
        found["fast"].faster_than(found["slow"])
    # The same run in a folder, as `show`, `report` and `resume` read it.
    loaded = api.load(runs=tmp_path / "runs")
    assert loaded.name == found.run.name
    assert [cell.cell.batch for cell in loaded.cells] == [2] * 5
    assert all(record.report.verification.referee == "numpy" for record in loaded.records if record.report)


@pytest.mark.long
def test_without_progress_nothing_is_printed(package: Path, capfd: pytest.CaptureFixture[str]) -> None:
    functions = {"slow": "sums.f:slow", "fast": "sums.f:fast"}
    found = api.compare(functions, inputs="sums.data:inputs", progress=False, **QUICK)
    assert capfd.readouterr() == ("", "")
    assert Path("runs", found.run.name).is_dir()


@pytest.mark.long
@pytest.mark.exhaustive
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_torch_functions_run_in_the_modes_that_the_caller_names(package: Path) -> None:
    text = "import torch\ndef f(x):\n    return x.sum(0)\ndef g(x):\n    return torch.ones(len(x)) @ x\n"
    package.joinpath("t.py").write_text(f"{text}def inputs(batch=1):\n    return torch.randn(8, 4)\n")
    functions = {"sum": "sums.t:f", "product": "sums.t:g"}
    found = api.compare(functions, modes=["torch:eager", "torch:trace"], progress=False, **QUICK)
    assert found["product", "torch:trace"].outcome == "measured"
    assert found["sum"].mode == "torch:eager"


@pytest.mark.long
@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
def test_a_function_that_its_file_has_compiled_is_measured_as_it_is(package: Path) -> None:
    text = "import jax\nslow = lambda x: x.sum(0)\nfast = jax.jit(slow)\n"
    draw = "def inputs(batch=1):\n    return jax.random.normal(jax.random.key(1), (8, 4))\n"
    package.joinpath("t.py").write_text(text + draw)
    found = api.compare({"slow": "sums.t:slow", "fast": "sums.t:fast"}, progress=False, **QUICK)
    assert [(found[name].mode, found[name].outcome) for name in found.names] == [("jax:eager", "measured")] * 2
    records = [record.report for record in found.run.records if record.report]
    assert not {"trace", "compile"} & {cost.name for report in records for cost in report.phases}


@pytest.mark.parametrize(
    ("functions", "inputs", "said"),
    [
        ({"one": "sums.f:slow"}, "", "name at least two functions to compare"),
        ({"one": "sums.f:slow", "two": "sums.missing.f:fast"}, "nowhere:inputs", "there is no module nowhere"),
        ({"one": "sums.f:slow", "two": "elsewhere:f"}, "", "there is no module elsewhere"),
        ({"one": "sums.f:slow", "two": "sums.f"}, "", "import path without an object"),
        ({"One": "sums.f:slow", "two": "sums.f:fast"}, "", "'One' cannot name a model; use small letters"),
        ({"one": "sums.f:slow", "two": "sums.f:fast"}, "sums.data", "'sums.data' name no function"),
        ({"one": "sums.f:slow", "two": lambda x: x}, "", "cannot be imported by another process"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence_and_nothing_is_made(
    package: Path, functions: dict[str, str], inputs: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        api.compare(functions, inputs=inputs)
    assert "\n" not in str(refused.value)
    assert not Path("runs").exists()


def test_an_unknown_setting_gets_the_nearest_one(package: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown setting 'buget'; did you mean budget"):
        api.compare({"one": "sums.f:slow", "two": "sums.f:fast"}, buget="5m")


def test_an_environment_that_does_not_exist_yet_is_named_with_the_command(package: Path) -> None:
    package.joinpath("t.py").write_text("import torch\nf = g = torch.sum\n")
    with pytest.raises(UsageError, match=r"must exist first: python -m orchestrator env create torch@2\.5"):
        api.compare({"one": "sums.t:f", "two": "sums.t:g"}, environment="torch@2.5")


@pytest.mark.long
def test_ctrl_c_is_one_for_the_caller_and_keeps_what_was_measured(package: Path) -> None:
    program = (
        "from orchestrator.api import compare\n"
        "try:\n"
        "    compare({'slow': 'sums.f:slow', 'fast': 'sums.f:fast'}, inputs='sums.data:inputs')\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    variables = {**os.environ, "PYTHONPATH": str(Path(api.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", program], env=variables, stdout=PIPE, stderr=PIPE) as running:
        assert running.stderr is not None
        seen = b""
        while b"block 1" not in seen:
            more = os.read(running.stderr.fileno(), 4096)
            assert more, seen
            seen += more
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=60)
    assert out == b"interrupted\n"
    assert api.load().manifest.stopped == "stopped by SIGINT"


def test_another_thread_than_the_main_one_is_refused(package: Path) -> None:
    said = list[str]()

    def compare() -> None:
        try:
            api.compare({"one": "sums.f:slow", "two": "sums.f:fast"})
        except UsageError as error:
            said.append(str(error))

    thread = threading.Thread(target=compare)
    thread.start()
    thread.join()
    assert "in the main thread" in said[0]


def test_a_function_that_can_be_imported_is_named_by_where_it_is() -> None:
    assert name_function(choose_folder) == "orchestrator.functions.compare:choose_folder"


@pytest.mark.parametrize("where", ["__main__", "nets"])
def test_a_function_of_a_notebook_is_refused_with_what_to_do(where: str) -> None:
    def f() -> None: ...

    f.__module__ = where
    with pytest.raises(UsageError, match=r"put it into a module \(%%writefile nets.py in a notebook\).* 'nets:f'"):
        name_function(f)


def test_a_module_is_found_where_python_finds_it(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = package.parent
    assert choose_folder("sums.f:slow") == str(here)
    elsewhere = here / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(sys, "path", [str(here), *sys.path])
    assert choose_folder("sums.f:slow") == str(here)
    assert choose_folder("numpy:sum") == str(elsewhere)


def test_settings_are_those_of_a_sweep(package: Path) -> None:
    models = [{"source": "sums.f:slow", "name": "slow"}, {"source": "sums.f:fast", "name": "fast"}]
    said = describe_sweep(models, {"batch": 8, "dtype": ["float32", "float64"], "budget": "90s", "margin": 0.1})
    assert said["axes"] == {
        "environment": ("current",),
        "batch": (8,),
        "dtype": ("float32", "float64"),
        "frameworks": ("numpy:eager",),
    }
    assert said["stop"] == {"until": "verdict", "budget": "90s"}
    assert said["margin"] == 0.1
    assert describe_sweep(models, {"modes": "torch:compile"})["axes"]["frameworks"] == ("torch:compile",)
