"""Every usual mistake in a user's workload is reported in one sentence, with the file and the line to fix."""

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.registry import workload_template
from schemas.code import hash_workload_code
from schemas.event import Failure
from tests.workers.mistakes import ALIKE, EDITS, MODES, REFERENCE

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Work

# The sentence and the place, for a framework, a mistake and a mode.
Told = Callable[[str, str, str], tuple[str, str]]

KEPT: dict[str, Mapping[tuple[str, str], tuple[str, str]]] = {}

LINES = {
    "torch": {"name": 18, "shape": 18, "value": 18, "weights": 10, "order": 10, "loss": 10},
    "tensorflow": {"name": 18, "shape": 18, "value": 18, "weights": 9, "order": 9, "loss": 9},
    "jax": {"name": 15, "shape": 15, "value": 15, "weights": 14, "loss": 10},
}
COMMON = {
    "syntax": {"torch": 20, "tensorflow": 20, "jax": 17},
    "made": {"torch": 10, "tensorflow": 9, "jax": 10},
    "import": dict.fromkeys(EDITS, 3),
}
SAID = {
    "name": ("is not defined", "undefined value hiden"),
    "shape": ("shapes cannot be multiplied", "Matrix size-incompatible", "Dimensions must be equal", "contracting"),
    "value": ("AssertionError: too small",),
    "weights": ("but reference.py draws 3 (W_gate, W_up, W_down); keep each as", "KeyError: 'W_gate'"),
    "order": ("weight 1 has the shape (3, 5), not (5, 3) like W_gate; keep the weights in the order of reference.py",),
    "loss": (" has no method loss(*inputs), which backward needs; write it",),
    "syntax": ("SyntaxError: expected ':'",),
    "made": ("must accept Model(parameters, weights): ",),
    "import": ("import a file in the same folder with a dot: from . import blocks",),
}
EACH = [
    (framework, mistake, mode, lines[mistake])
    for framework, lines in ((name, LINES[name] | {each: COMMON[each][name] for each in COMMON}) for name in EDITS)
    for mistake in lines
    for mode in MODES[framework]
]
every_mode = pytest.mark.parametrize(("framework", "mode"), [(name, mode) for name in EDITS for mode in MODES[name]])
OF_THE_REFERENCE = {
    "missing": ("reference.py has no function weights(parameters, rng); write it", ""),
    "backward": ("reference.py has no function backward(parameters, weights, *inputs); write it, or name an", ""),
    "names": ("weights(...): a name must be a string, not a value of type int", ":11"),
    "integers": ("weights(...): b must be a floating-point array, not an array of int64", ":11"),
    "shapes": ("shapes(...) must return a tuple of sets of inputs, each a tuple with one shape for each", ":21"),
    "inputs": ("inputs(...) must return a tuple of arrays, not an array of float64", ":27"),
    "others": ("inputs(...) must return the shapes (2, 3), not (3, 3)", ":27"),
    "whole": ("inputs(...) must return numbers or truth values, not <U32", ":27"),
    "key": ("KeyError: 'W_gat'", ":34"),
    "gradients": ("backward(...) must return gradients of W_gate, W_up, W_down, not of W_up", ":43"),
    "syntax": ("SyntaxError: expected ':'", ":38"),
    "import": ("ModuleNotFoundError: No module named 'autogradd'", ":7"),
}


@pytest.fixture
def told(python: "Python") -> Told:
    """Make every mistake of a framework once, in one process."""

    def of(framework: str, mistake: str, mode: str) -> tuple[str, str]:
        if find_spec(framework) is None:
            pytest.skip(f"{framework} is not installed")
        if framework not in KEPT:
            ended = python(f"from tests.workers.mistakes import main; main({framework!r})")
            found = [json.loads(line) for line in ended.output.splitlines()]
            assert ended.status == 0, ended.log
            KEPT[framework] = {(each["mistake"], each["mode"]): (each["reason"], each["where"]) for each in found}
        return KEPT[framework][mistake, mode]

    return of


@pytest.mark.parametrize(("framework", "mistake", "mode", "line"), EACH)
def test_a_mistake_in_an_implementation_is_told_with_its_line_in_every_mode(
    told: Told, framework: str, mistake: str, mode: str, line: int
) -> None:
    sentence, place = told(framework, mistake, mode)
    assert any(said in sentence for said in SAID[mistake]), sentence
    assert place == f"{framework}.py:{line}"


@every_mode
def test_without_a_mistake_what_new_workload_writes_is_right(told: Told, framework: str, mode: str) -> None:
    assert told(framework, "none", mode) == ("right", "")


@every_mode
def test_a_file_without_a_model_is_named(told: Told, framework: str, mode: str) -> None:
    said = f"there is no class Model in {framework}.py; write one that accepts Model(parameters, weights)"
    assert told(framework, "model", mode) == (said, f"{framework}.py")


@pytest.mark.parametrize(
    ("framework", "mistake"), [("torch", "vector"), ("torch", "unused"), ("tensorflow", "unused"), ("jax", "vector")]
)
def test_what_goes_wrong_with_what_a_model_gave_names_the_file_that_gave_it(
    told: Told, framework: str, mistake: str
) -> None:
    for mode in MODES[framework]:
        sentence, place = told(framework, mistake, mode)
        assert any(said in sentence for said in ("scalar", "the loss does not depend on its weight"))
        assert place.endswith(f", for {framework}.py")


@pytest.mark.parametrize("mistake", OF_THE_REFERENCE)
def test_a_mistake_in_the_reference_is_told_with_its_line(told: Told, mistake: str) -> None:
    sentence, place = told("numpy", mistake, "eager")
    due, line = OF_THE_REFERENCE[mistake]
    assert sentence.startswith(due)
    assert place == f"reference.py{line}"


def test_no_mistake_has_been_forgotten_here() -> None:
    assert REFERENCE.keys() == OF_THE_REFERENCE.keys()
    assert {mistake for edits in EDITS.values() for mistake in (*edits, *ALIKE)} == {
        *SAID,
        "none",
        "model",
        "vector",
        "unused",
    }


def test_a_real_worker_says_the_same_in_its_last_word(ask: "Ask", work: "Work", tmp_path: Path) -> None:
    folder = workload_template.write_template("mine", tmp_path).resolve()
    reference = folder / "reference.py"
    reference.write_text(reference.read_text().replace('weights["W_up"]', 'weights["W_upp"]'))
    cell = ask("numpy", "eager", "mine", {"width": 3, "hidden": 5}, code=hash_workload_code(folder))
    ended = work(cell.model_copy(update={"source_dir": str(folder)}))
    assert ended.events[-1] == Failure(outcome="raised", reason="KeyError: 'W_upp'", where=f"{reference}:35")
    assert not list(folder.rglob("__pycache__"))
