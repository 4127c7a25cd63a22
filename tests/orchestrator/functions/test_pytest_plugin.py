"""The fixture `plumbline` in real runs of pytest, each in a folder with a user's tests."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# By its module, and not by the entry point, which needs an installation.
PLUGIN = ("-p", "no:plumbline", "-p", "orchestrator.functions.pytest_plugin", "-p", "no:cacheprovider")

HEAD = """
import os
import numpy as np
import pytest

quick = pytest.mark.plumbline(
    blocks=1, timing={"samples": 10, "sample_ns": 2_000_000, "warmup_min_ns": 1_000_000}, runs=os.environ["RUNS"]
)

def slow(x):
    total = np.zeros(x.shape[1], x.dtype)
    for row in x:
        total = total + row
    return total

@pytest.fixture
def x():
    yield np.random.standard_normal((100, 4)).astype(np.float32)
    print("torn down")
"""


@dataclass(frozen=True)
class Ended:
    """One run of pytest: what it printed, and the number of tests by outcome."""

    out: str
    runs: Path

    def count(self, outcome: str) -> int:
        found = re.search(rf"(\d+) {outcome}", self.out.splitlines()[-1])
        return int(found[1]) if found else 0

    def read_records(self) -> str:
        return "".join(path.read_text() for path in self.runs.rglob("*.json"))


RunTests = Callable[..., Ended]


@pytest.fixture
def run_tests(tmp_path: Path) -> RunTests:
    """Run pytest in a folder with this test file, and others by name."""

    def of(text: str, *arguments: str, **files: str) -> Ended:
        folder = tmp_path / "project" / "tests"
        folder.mkdir(parents=True)
        for name, content in {"test_mine": HEAD + text, **files}.items():
            place = folder.parent / name if "." in name else folder / f"{name}.py"
            place.write_text(content)
        runs = tmp_path / "runs"
        command = [sys.executable, "-m", "pytest", "-rA", *PLUGIN, *arguments, "tests"]
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "RUNS": str(runs)}
        done = subprocess.run(
            command, cwd=folder.parent, env=variables, capture_output=True, text=True, check=False, timeout=240
        )
        return Ended(done.stdout, runs)

    return of


@pytest.mark.long
def test_each_process_runs_the_test_again_with_its_fixtures_and_an_open_question_skips(run_tests: RunTests) -> None:
    text = """
@quick
@pytest.mark.parametrize("factor", [2.0])
def test_sums(plumbline, x, factor, option):
    assert option == "given"
    found = plumbline.compare(slow=lambda: factor * slow(x), fast=lambda: factor * x.sum(0))
    assert [found[name].outcome for name in found.names] == ["measured", "measured"]
    assert "cannot be told from computed ones" in found.list_notes()[1]
    assert found["fast"].faster_than(found["slow"], by=0.05)
"""
    options = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--own")

@pytest.fixture
def option(request):
    return request.config.getoption("--own")
"""
    ended = run_tests(text, "--own=given", conftest=options)
    assert ended.count("skipped") == 1, ended.out
    assert "UNRESOLVED: after 1 blocks it is open whether fast is faster than slow by 5 %" in ended.out
    assert "Only agreement in float32 is checked" not in ended.read_records()
    assert "slow keeps its data to itself" in ended.read_records()
    # The user's own fixtures end in every process, after it has measured.
    logs = [path.read_text() for path in ended.runs.rglob("*.stderr.log")]
    assert sum("torn down" in log for log in logs) >= 4


@pytest.mark.long
@pytest.mark.exhaustive
def test_a_difference_that_is_there_passes(run_tests: RunTests) -> None:
    ended = run_tests("""
@pytest.mark.plumbline(budget="5m")
def test_sums(plumbline, x):
    found = plumbline.compare(slow=lambda: slow(x), fast=lambda: x.sum(0))
    assert found["fast"].faster_than(found["slow"], by=0.05)
    assert not found["slow"].faster_than(found["fast"])
""")
    assert ended.count("passed") == 1, ended.out


@pytest.mark.long
def test_a_callable_that_computes_something_else_fails_with_its_reason(run_tests: RunTests) -> None:
    ended = run_tests("""
@quick
def test_sums(plumbline, x):
    found = plumbline.compare(slow=lambda: slow(x), wrong=lambda: 1.01 * x.sum(0))
    assert found["wrong"].faster_than(found["slow"])
""")
    assert ended.count("failed") == 1, ended.out
    assert re.search(r"wrong in numpy:eager was not measured: wrong: output is off by 0\.01", ended.out)


@pytest.mark.long
def test_a_test_that_cannot_be_repeated_fails_with_the_sentence_of_the_process(run_tests: RunTests) -> None:
    ended = run_tests("""
@quick
def test_sums(plumbline, x, tmp_path_factory):
    assert "PLUMBLINE_PARENT" not in os.environ, "only once"
    found = plumbline.compare(slow=lambda: slow(x), fast=lambda: x.sum(0))
    assert found["fast"].faster_than(found["slow"])
""")
    assert ended.count("failed") == 1, ended.out
    assert "test_sums did not come to its comparison in another process: AssertionError: only once" in ended.out


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        ("fast=lambda: x.sum(0)", "name at least two callables to compare"),
        ("slow=lambda: slow(x), fast=lambda: None", "fast returns a NoneType without tensors or arrays"),
        ("slow=lambda: slow(x), fast=lambda: 1 / 0", "ZeroDivisionError"),
        ("slow=lambda: slow(x), Fast=lambda: x.sum(0)", "'Fast' cannot name a model"),
    ],
)
def test_a_mistake_fails_before_any_process_starts(run_tests: RunTests, comparison: str, said: str) -> None:
    ended = run_tests(f"@quick\ndef test_sums(plumbline, x):\n    plumbline.compare({comparison})\n")
    assert ended.count("failed") == 1, ended.out
    assert said in ended.out
    assert not ended.runs.exists()


@pytest.mark.long
def test_what_the_project_says_of_pytest_holds_in_the_processes(run_tests: RunTests) -> None:
    text = """
from helper import scale

@quick
def test_sums(plumbline, x):
    found = plumbline.compare(slow=lambda: slow(scale(x)), fast=lambda: scale(x).sum(0))
    assert [found[name].outcome for name in found.names] == ["measured", "measured"]

def test_another():
    assert "PLUMBLINE_PARENT" not in os.environ
"""
    settings = "[pytest]\naddopts = --strict-markers -x --import-mode=importlib\npythonpath = tests\n"
    files = {"helper": "def scale(x):\n    return 2 * x\n", "pytest.ini": f"{settings}filterwarnings = error\n"}
    ended = run_tests(text, **files)
    assert ended.count("passed") == 2, ended.out


@pytest.mark.long
def test_callables_are_measured_in_the_state_in_which_the_test_compares_them(run_tests: RunTests) -> None:
    pytest.importorskip("torch")
    ended = run_tests("""
import torch

@quick
def test_states(plumbline):
    torch.nn.init.normal_(weight := torch.nn.Parameter(torch.empty(8, 8)))

    def differentiate():
        weight.grad = None
        (weight @ weight).sum().backward()
        return weight.grad

    found = plumbline.compare(one=differentiate, two=lambda: {"gradient": differentiate()})
    assert [found[name].outcome for name in found.names] == ["measured", "measured"]
""")
    assert ended.count("passed") == 1, ended.out


@pytest.mark.long
def test_callables_of_two_frameworks_stand_side_by_side(run_tests: RunTests) -> None:
    pytest.importorskip("jax")
    ended = run_tests("""
import jax
import jax.numpy as jnp

@quick
def test_sums(plumbline, x):
    given = jnp.asarray(x)
    compiled = jax.jit(lambda value: value.sum(0))
    found = plumbline.compare(host=lambda: x.sum(0), compiled=lambda: compiled(given), wrong=lambda: 2 * given.sum(0))
    assert [found[name].mode for name in found.names] == ["numpy:eager", "jax:eager", "jax:eager"]
    assert [found[name].outcome for name in found.names] == ["measured", "measured", "wrong"]
    assert "output is off by" in found["wrong"].reason
""")
    assert ended.count("passed") == 1, ended.out


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    program = (
        "import sys, pytest; before = {*sys.modules}; import orchestrator.functions.pytest_plugin; "
        "print(*{*sys.modules} - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if not name.startswith("_plumbline")}
    assert "orchestrator.functions.pytest_plugin" in loaded
    assert all(name.partition(".")[0] == "orchestrator" for name in loaded), loaded
    assert len(loaded) == 3
