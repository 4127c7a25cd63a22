"""Users' models as they are, and what makes them jobs: models in `code/`, models in `files/`, and what both share.

A module in `code/` is named after a framework and has a class `Adapter`. To measure models of another framework, add
such a file, and its packages to `orchestrator/registry/models.py`. A module in `files/` opens one kind of model file.
To open another, add such a file, and the kind to `schemas/model_files.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from schemas.job import Cell, JobSpec
from schemas.model_files import get_kind
from workers.errors import Unsupported

if TYPE_CHECKING:  # NumPy must not be imported before the framework, whose import is timed
    from workers.arrays import Array
    from workers.problem.problem import Problem


class Adapter(Protocol):
    """A user's model of one framework: its inputs, its state, and the form in which a mode can prepare it."""

    def __init__(self, code: Any, cell: Cell, seed: int) -> None: ...

    @property
    def code(self) -> Any:
        """Return the code of the model."""

    def draw_inputs(self, seed: int) -> tuple[Array, ...]:
        """Draw a set of inputs, flattened to arrays; the first call decides how they are arranged."""

    def set_example(self, inputs: Sequence[Array]) -> None:
        """Use these inputs, flattened to arrays, wherever the model is called without others."""

    def build(self) -> None:
        """Build the model with the weights that the seed gives."""

    def read_state(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the parameters and the buffers by name, in the model's order."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Give parameters and buffers these values."""

    def call_example(self) -> Sequence[Array]:
        """Call the model on the first inputs, and return the outputs as arrays."""

    def name_random(self) -> str:
        """Return the layers that probably draw the random numbers, in parentheses; empty: none is known to."""

    def list_notes(self) -> Sequence[str]:
        """Return what a reader of the results must know, in sentences."""

    def describe_outputs(self) -> Sequence[tuple[tuple[int, ...], bool]]:
        """Call the model once on the first inputs; return each output's shape, and whether it can have a gradient."""

    @property
    def plain(self) -> bool:
        """Return whether a call takes and returns nothing but arrays, one or a tuple of them."""

    def find_trained(self, coefficients: Sequence[Array]) -> Sequence[str]:
        """Return the names of the parameters that the loss depends on, in the model's order."""

    def count_flops(self, coefficients: Sequence[Array]) -> int:
        """Count the operations of the matrix products, convolutions and attention of one call; 0: not counted."""

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> Any:
        """Return what the framework's `step` takes, in the cell's dtype and on its device."""


@runtime_checkable
class PreparesCode(Protocol):
    """A module with an adapter that has something to set before the user's code is loaded."""

    @staticmethod
    def prepare_code(cell: Cell) -> AbstractContextManager[None]:
        """Return the context in which the code is loaded."""


def make_adapter(spec: JobSpec, framework: str) -> Adapter:
    """Load the code or the file of a job's model, and adapt it to the framework that it is written for.

    Raises:
        Unsupported: no model of this framework can be measured.
        Malformed: the code lacks something that a model needs.
        Exception: whatever the code raises.
    """
    from workers.models.code.source import load_code

    assert spec.model is not None
    if spec.model.kind:
        file = importlib.import_module(f"{__name__}.files.{get_kind(spec.model.kind).module}")
        return cast("Adapter", file.make_adapter(spec.model, spec.cell, spec.seed))
    module = import_adapter(framework if spec.model.test is None else f"{framework}_callables")
    with module.prepare_code(spec.cell) if isinstance(module, PreparesCode) else nullcontext():
        code = load_code(spec.model)
    return cast("type[Adapter]", module.Adapter)(code, spec.cell, spec.seed)


def import_adapter(name: str) -> Any:
    """Import the module here with this name.

    Raises:
        Unsupported: there is none.
    """
    full_name = f"{__name__}.code.{name}"
    try:
        return importlib.import_module(full_name)
    except ModuleNotFoundError as error:
        if error.name != full_name:
            raise
        framework, _, kind = name.partition("_")
        reason = f"callables of {framework} cannot be measured in a test yet" if kind else ""
        raise Unsupported(reason or f"a model cannot be measured in {framework} without an export") from error


def build_model(spec: JobSpec, framework: str, problem: Problem) -> Any:
    """Build the model of a job with the state and the inputs of its reference process."""
    from workers.models.problem import ModelProblem

    assert isinstance(problem, ModelProblem)
    adapter = make_adapter(spec, framework)
    adapter.draw_inputs(spec.seed)  # for their arrangement; their values come from the reference process
    adapter.build()
    adapter.load_state(problem.stored.read_state())
    facts = problem.facts
    return adapter.finish(facts.trained, problem.stored.read_coefficients(), plain=facts.plain)
