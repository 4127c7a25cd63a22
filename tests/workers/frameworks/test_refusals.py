"""A mode that cannot run a cell reports the reason, and nothing else is measured instead."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure
from tests.benchmarks.support import NOT_TRIED, CellName, read_support

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work


@dataclass(frozen=True)
class Refused:
    """A cell of PyTorch, and a part of the reason why it cannot run."""

    mode: str
    workload: str
    task: str
    reason: str

    def __str__(self) -> str:
        return f"{self.mode} {self.workload} {self.task}"


REFUSED = [
    *(
        Refused(mode, workload, "backward", reason)
        for workload in ("rnn_cell", "rnn", "mlp")
        for mode, reason in (
            ("script-freeze", "makes constants of the weights, and a constant has no gradient"),
            ("script-optimized", "needs frozen weights, and a constant has no gradient"),
            ("aot", "packages the forward graph alone"),
        )
    ),
    Refused("aot", "rnn", "forward", r"cannot leave open what the inputs decide: .*specialized it to be a constant"),
    Refused("aot", "early_exit", "forward", r"inputs decide: Could not guard on data-dependent expression"),
    Refused("aot", "lstm_tagger", "forward", r"decide: Could not extract specialized integer from data-dependent"),
    Refused("aot-compile", "rnn", "forward", "inputs decide: .*specialized it to be a constant"),
    Refused("aot-compile", "early_exit", "forward", "inputs decide: Could not guard on data-dependent expression"),
    Refused("aot-compile", "lstm_tagger", "backward", "needs one graph of the whole: Attempted to call function"),
    Refused("compile-regional", "mlp", "forward", "no list of the model has two blocks of one class"),
    Refused("compile-reduce-overhead", "mlp", "forward", "CUDA graphs, which only a GPU has"),
    Refused("compile-reduce-overhead", "rnn", "backward", "CUDA graphs, which only a GPU has"),
]


# One workload for each mode.


@dataclass(frozen=True)
class Refuse:
    """Runner of a job of PyTorch, whose last event must be a failure."""

    ask: "Ask"
    work: "Work"

    def __call__(self, mode: str, workload: str, task: str, **variables: str) -> Failure:
        if find_spec("torch") is None:
            pytest.skip("torch is not installed")
        last = self.work(self.ask("torch", mode, workload, task=task), **variables).events[-1]
        assert isinstance(last, Failure)
        return last


@pytest.fixture
def refuse(ask: "Ask", work: "Work") -> Refuse:
    return Refuse(ask, work)


@pytest.mark.long
@pytest.mark.parametrize("refused", REFUSED, ids=str)
def test_a_mode_that_cannot_do_it_is_unsupported_and_says_why(refuse: Refuse, refused: Refused) -> None:
    failure = refuse(refused.mode, refused.workload, refused.task)
    assert failure.outcome == "unsupported"
    assert re.search(refused.reason, failure.reason)
    assert failure.where == ""


@pytest.mark.long
@pytest.mark.parametrize("mode", ["compile", "aot-compile", "aot"])
def test_without_a_compiler_inductors_modes_are_unsupported_and_say_what_to_install(
    refuse: Refuse, tmp_path: Path, mode: str
) -> None:
    failure = refuse(mode, "mlp", "forward", PATH=str(tmp_path))
    assert failure.outcome == "unsupported"
    assert "g++ is not on the PATH: install g++" in failure.reason


def test_without_pythons_headers_inductors_modes_say_so(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from workers.frameworks.torch_compile import find_missing_tool

    compiler = tmp_path / "a-compiler"
    compiler.write_text("")
    compiler.chmod(0o755)
    assert "has none: install them" in find_missing_tool(str(compiler), tmp_path)
    (tmp_path / "Python.h").write_text("")
    assert find_missing_tool(str(compiler), tmp_path) == ""


def test_the_table_of_support_agrees_with_what_is_refused() -> None:
    entries = read_support().entries
    for each in REFUSED:
        entry = entries[CellName(f"torch:{each.mode}", each.workload, each.task)]
        assert entry.outcome in ("unsupported", NOT_TRIED), each
