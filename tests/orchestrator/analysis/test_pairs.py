"""The pairs of cells that a sweep compares."""

import math
from collections.abc import Callable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.pairs import SIBLINGS, choose_pairs, find_sibling_label
from orchestrator.records.labels import label_cells
from schemas.catalog import DEFAULT_MODES, FRAMEWORKS
from schemas.job import Cell
from tests.orchestrator.conftest import a_cell

MakeCell = Callable[..., Cell]
MODES = sorted(f"{framework.name}:{mode.name}" for framework in FRAMEWORKS for mode in framework.modes)


def cells_of(*labels: str) -> Mapping[str, Cell]:
    return {label: a_cell(label) for label in labels}


def test_the_default_question_has_five_pairs_instead_of_ten() -> None:
    cells = cells_of(*DEFAULT_MODES)
    asked = choose_pairs(cells, "torch:eager", "asked")
    assert len(cells) == 5
    assert len(asked) == 5
    assert len(choose_pairs(cells, "torch:eager", "all")) == 10
    assert ("tensorflow:eager", "tensorflow:function") in asked


def test_without_its_sibling_a_mode_is_compared_with_the_baseline_only() -> None:
    cells = cells_of("numpy:eager", "torch:trace", "tensorflow:function")
    assert choose_pairs(cells, "numpy:eager", "asked") == [
        ("numpy:eager", "torch:trace"),
        ("numpy:eager", "tensorflow:function"),
    ]


def test_a_baseline_that_was_not_measured_has_no_pair() -> None:
    cells = cells_of("torch:eager", "torch:trace", "numpy:eager")
    assert choose_pairs(cells, "jax:jit", "asked") == [("torch:eager", "torch:trace")]
    assert choose_pairs({}, "", "asked") == choose_pairs({}, "", "all") == []


def test_the_sibling_is_one_of_the_same_environment(make_cell: MakeCell) -> None:
    cells = [
        make_cell(f"tensorflow:{mode}", environment=f"tensorflow@{version}")
        for version in ("2.20", "2.21")
        for mode in ("eager", "function")
    ]
    labels = label_cells(cells)
    named = {labels[cell.id]: cell for cell in cells}
    assert find_sibling_label(named, "tensorflow@2.21:function") == "tensorflow@2.21:eager"
    pairs = choose_pairs(named, "tensorflow@2.20:eager", "asked")
    assert ("tensorflow@2.21:eager", "tensorflow@2.21:function") in pairs
    assert len(pairs) == 4


@given(st.lists(st.sampled_from(MODES), min_size=1, max_size=12, unique=True), st.data())
def test_the_asked_pairs_are_some_of_all_pairs_each_once(labels: list[str], data: st.DataObject) -> None:
    cells, baseline = cells_of(*labels), data.draw(st.sampled_from(labels))
    asked = [frozenset(pair) for pair in choose_pairs(cells, baseline, "asked")]
    every = {frozenset(pair) for pair in choose_pairs(cells, baseline, "all")}
    assert len(every) == math.comb(len(labels), 2)
    assert len(asked) == len(set(asked))
    assert set(asked) <= every
    assert {frozenset((baseline, label)) for label in labels if label != baseline} <= set(asked)
    for label, cell in cells.items():
        sibling = f"{cell.framework}:{SIBLINGS.get((cell.framework, cell.mode))}"
        assert sibling not in cells or frozenset((sibling, label)) in asked
