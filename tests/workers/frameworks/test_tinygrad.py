"""Promises of tinygrad beyond those of every framework: its compiler, its cache, its thread, and TinyJit."""

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure
from tests.workers.conftest import find_missing

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Reported, Work

pytestmark = pytest.mark.skipif(find_spec("tinygrad") is None, reason="tinygrad is not installed")
needs_clang = pytest.mark.skipif(find_missing("tinygrad", "lazy") != "", reason="clang is not installed")

CALLS = """
import json
import numpy as np
from schemas.job import Cell
from workers import workloads
from workers.frameworks import import_framework

cell = Cell(framework="tinygrad", mode=MODE, workload="softmax", task=TASK, parameters={"width": 4})
framework = import_framework("tinygrad")(cell)
framework.apply_settings()
model = framework.build(workloads.import_implementation("softmax", "tinygrad"), {"b": np.arange(4.0)})
first, second = (framework.arrays([rows]) for rows in (np.ones((2, 4)), 2 * np.eye(2, 4)))
ready = framework.step(model, first, [(2, 4)])
step, counts, results = ready.prepare(), [], []
for inputs in (first, second, first, second):
    results.append(framework.to_numpy(step(*inputs))[0].tolist())
    counts.append(framework.compilations())
kept, later = step(*first), step(*second)
print(json.dumps([ready.phase, results, counts, kept[0] is later[0], framework.reuses_outputs]))
"""

COMPILER = """
from workers.frameworks.tinygrad import find_missing_compiler
print(find_missing_compiler({!r}))
"""


def run_calls(python: "Python", mode: str, task: str) -> tuple[None, list[object], list[int], bool, bool]:
    ended = python(f"MODE, TASK = {mode!r}, {task!r}\n" + CALLS)
    assert ended.output, ended.log
    phase, results, counts, same, reuses = json.loads(ended.output)
    return phase, results, counts, same, reuses


@needs_clang
@pytest.mark.parametrize("task", ["forward", "backward"])
def test_both_modes_compute_the_same_and_only_tinyjit_reuses_its_outputs(python: "Python", task: str) -> None:
    lazy, jit = (run_calls(python, mode, task) for mode in ("lazy", "jit"))
    assert lazy[1] == jit[1]
    assert lazy[1][0] == lazy[1][2] != lazy[1][1]
    assert (lazy[3], lazy[4]) == (False, False)
    assert (jit[3], jit[4]) == (True, True)


@needs_clang
@pytest.mark.parametrize("mode", ["lazy", "jit"])
def test_kernels_are_compiled_in_the_first_calls_and_never_again(python: "Python", mode: str) -> None:
    phase, _, counts, _, _ = run_calls(python, mode, "backward")
    assert phase is None
    assert counts[0] > 0
    assert len(set(counts[1:])) == 1


@needs_clang
def test_tinyjit_is_unsupported_where_the_inputs_decide_a_length(ask: "Ask", work: "Work") -> None:
    last = work(ask("tinygrad", "jit", "rnn", task="forward")).events[-1]
    assert isinstance(last, Failure)
    assert last.outcome == "unsupported"
    assert last.reason == "TinyJit replays kernels for the shapes that it has captured, and raises on others"


@needs_clang
def test_a_cell_of_several_threads_is_unsupported_because_kernels_run_in_one(ask: "Ask", work: "Work") -> None:
    last = work(ask("tinygrad", "lazy", "mlp", task="forward", threads=2)).events[-1]
    assert isinstance(last, Failure)
    assert last.outcome == "unsupported"
    assert "in the calling thread, one after another; choose --threads 1" in last.reason


@needs_clang
def test_without_equal_settings_several_threads_are_measured_as_shipped(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("tinygrad", "lazy", "mlp", task="forward", threads=2, track="defaults"))
    assert found.verification.reason == ""
    assert {each.name for each in found.settings if each.asked} >= {"device"}
    assert "parts of a kernel" not in {each.name for each in found.settings if each.asked}


@needs_clang
def test_a_cold_job_writes_no_kernel_to_the_disk_and_a_warm_one_does(ask: "Ask", work: "Work", tmp_path: Path) -> None:
    file = tmp_path / "own" / "kernels.db"
    for level in ("0", "2"):
        spec = ask("tinygrad", "lazy", "mlp", task="forward", batch=3)
        variables = dict(spec.variables) | {"CACHEDB": str(file), "CACHELEVEL": level}
        assert work(spec.model_copy(update={"variables": variables})).report.verification.reason == ""
        assert file.exists() == (level == "2")


def test_without_clang_it_is_unsupported_and_says_what_to_install(ask: "Ask", work: "Work", tmp_path: Path) -> None:
    last = work(ask("tinygrad", "lazy", "mlp", task="forward"), PATH=str(tmp_path)).events[-1]
    assert isinstance(last, Failure)
    assert last.outcome == "unsupported"
    assert last.reason == "tinygrad compiles its kernels by clang, and clang is not on the PATH: install clang"
    assert last.where == ""


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("gcc", "and CC names gcc: unset CC, or let it name a clang"),
        ("/no/such/clang-19", "and /no/such/clang-19 is not on the PATH: install clang"),
    ],
)
def test_another_compiler_that_cc_names_is_refused_by_its_name(python: "Python", named: str, reason: str) -> None:
    assert reason in python(COMPILER.format(named)).output.decode()


def test_a_compiler_that_is_there_is_taken(python: "Python", tmp_path: Path) -> None:
    compiler = tmp_path / "clang-19"
    compiler.write_text("")
    compiler.chmod(0o755)
    assert python(COMPILER.format(str(compiler))).output == b"\n"
    assert os.access(compiler, os.X_OK)


@pytest.mark.parametrize("workload", ["attention", "resnet"])
@needs_clang
def test_a_workload_without_a_file_is_unsupported(ask: "Ask", work: "Work", workload: str) -> None:
    last = work(ask("tinygrad", "lazy", workload, task="forward")).events[-1]
    assert isinstance(last, Failure)
    assert (last.outcome, last.reason) == ("unsupported", f"the workload {workload} has no implementation for tinygrad")
