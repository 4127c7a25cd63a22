"""A later variant of a user's model: it takes the inputs and state of the first one, and must compute the same."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from schemas.job import TRAINING_TASKS, JobSpec
from schemas.judging import BEGINNING, SET
from schemas.models import ModelFacts
from workers.arrays import Array, is_floating
from workers.errors import Malformed, Wrong
from workers.models import Adapter
from workers.models.problem import select_weights
from workers.models.stored_model import StoredModel
from workers.problem.problem import INPUT_SETS
from workers.verification.stored_reference import Cases, StoredReference
from workers.verification.tolerance import LOSS as LOSS_NAME

# The largest difference in float64 of two implementations of one thing: rounding alone, even after sums of a million.
SAME_RESULTS = 1e-9
# The largest difference where one of them runs in float32 alone.
SAME_AGREEMENT = 1e-4

# The largest norm of a result that rounding alone has made, as a share of the largest of all: well below what counts.
ROUNDING = 1e-6

# Notes on a later variant.
SAME_WEIGHTS = "has the weights of the first model, and computes the same in float64"
OWN_WEIGHTS = "has weights of its own: only its time and memory can be compared"

# The names of a model's state in a message.
SAID_NAMES = 12


def describe_weights(spec: JobSpec, parameters: Mapping[str, Array], *, carried: bool) -> Iterator[str]:
    """Describe whether a later variant has the weights of the first one, if it has any."""
    if (parameters or not carried) and not is_sibling(spec):
        yield f"{spec.cell.variant} {SAME_WEIGHTS if carried else OWN_WEIGHTS}"


def share_sets(adapter: Adapter, first: StoredModel, seed: int) -> list[tuple[Array, ...]]:
    """Return the inputs of the first variant, in the arrangement of this one's, whose types of integers they get.

    Raises:
        Malformed: they do not fit.
    """
    own, shared = adapter.draw_inputs(seed), first.read_sets()
    if [(each.shape, is_floating(each)) for each in own] != [(each.shape, is_floating(each)) for each in shared[0]]:
        forms = {tuple((each.shape, each.dtype.name) for each in inputs) for inputs in (own, shared[0])}
        raise Malformed(f"two implementations of one thing must take the same inputs, not {describe_forms(forms)}")
    sets = [tuple(each.astype(due.dtype) for each, due in zip(inputs, own, strict=True)) for inputs in shared]
    adapter.set_example(sets[0])
    return sets


def carry_state(adapter: Adapter, first: StoredModel) -> bool:
    """Give this variant the state of the first one; return whether it has it.

    The file's function `weights` says how, or else names and shapes that are the same.

    Raises:
        Malformed: the function leaves something out, or returns another shape.
    """
    parameters, buffers = adapter.read_state()
    own, shared = parameters | buffers, first.read_state()
    if (mapped := adapter.code.map_weights) is not None:
        shared = {name: np.asarray(value) for name, value in mapped(shared).items()}
        check_mapped(adapter, own, shared)
    elif {name: value.shape for name, value in own.items()} != {name: value.shape for name, value in shared.items()}:
        return False
    adapter.load_state(shared)
    return True


def check_mapped(adapter: Adapter, own: Mapping[str, Array], mapped: Mapping[str, Array]) -> None:
    """Check that a file's function `weights` has returned all of a model's state.

    Raises:
        Malformed: it has not.
    """
    for name, value in own.items():
        if name not in mapped or mapped[name].shape != value.shape:
            found = f"not {list(mapped[name].shape)}" if name in mapped else "which is missing"
            known = ", ".join([*own][:SAID_NAMES])
            raise Malformed(
                f"weights(state) must return {name} of shape {list(value.shape)}, {found}; the model has {known}",
                adapter.code.place,
            )


def check_same_results(spec: JobSpec, first: StoredModel | None, second: StoredModel) -> None:
    """Check that two variants with the same state compute the same in float64.

    Where their weights have other names, gradients and moves may have other shapes, so only the results before them
    are compared.

    Raises:
        Wrong: they do not.
    """
    assert first is not None, "a state is carried over from a first model"
    cases = [BEGINNING] if spec.cell.task in TRAINING_TASKS else [f"{SET}{number}" for number in range(INPUT_SETS)]
    agree = any(each.read_facts().agreement for each in (first, second))
    for case in cases:
        error, name = measure_case(spec, first, second, case)
        if error > (SAME_AGREEMENT if agree else SAME_RESULTS):
            found = (
                f"off by {error:.2g} in float{32 if agree else 64}" if math.isfinite(error) else "not in both of them"
            )
            raise Wrong(
                f"{spec.cell.variant} computes something else than the first model, from the same weights and inputs: "
                f"its {name} is {found}{advise_sibling(spec)}"
            )


def measure_case(spec: JobSpec, first: StoredModel, second: StoredModel, case: str) -> tuple[float, str]:
    """Return the largest difference of the results of two variants in a case, with the name of the tensor.

    It is infinite for a tensor that one of them lacks, or that has another shape there.
    """
    due, got = (name_results(spec, each, case) for each in (first, second))
    only = "" if spec.cell.task == "forward" or have_same_names(first, second) else LOSS_NAME
    # What is zero but for rounding is measured by the largest of the others.
    least = ROUNDING * max(float(np.linalg.norm(value)) for value in due.values())
    both = {name: measure_difference(due[name], got[name], least) for name in due.keys() & got.keys()}
    return max((both.get(name, math.inf), name) for name in due.keys() | got.keys() if name.startswith(only))


def have_same_names(first: StoredModel, second: StoredModel) -> bool:
    """Return whether the parameters of two variants have the same names in the same order."""
    return [*first.read_parameters()] == [*second.read_parameters()]


def name_results(spec: JobSpec, stored: StoredModel, case: str) -> Mapping[str, Array]:
    """Return the results of a variant in a case, by their names in messages."""
    weights = select_weights(spec.cell.task, stored, stored.read_facts())
    return StoredReference(stored.path, spec.cell.task, weights).make_evaluator(case)(np.float64)[0]


def advise_sibling(spec: JobSpec) -> str:
    """Return what to write if a model file may differ from the first one; empty for a model in code."""
    is_file = spec.model is not None and spec.model.kind
    return "; name the first one with --same-as if it may differ" if is_file else ""


def is_sibling(spec: JobSpec) -> bool:
    """Return whether a model is another form of the first one, whose results may differ."""
    return spec.model is not None and spec.model.is_sibling


def compare_with_first(spec: JobSpec, expected: Cases, facts: ModelFacts) -> ModelFacts:
    """Return the facts with the distance of a sibling's results from those of the first model."""
    if spec.expected is None or spec.model is None or not spec.model.is_sibling:
        return facts
    first, errors = StoredReference(Path(spec.expected.path), spec.cell.task, {}), []
    for case, got in expected:
        due = [*first.read_tensors(case, np.float64)]
        errors += [measure_difference(*pair) for pair in zip(due, got, strict=False)]
        errors += [math.inf] * abs(len(due) - len(got))
    error = max(errors, default=math.inf)
    if math.isfinite(error):
        return facts.model_copy(update={"likeness": facts.likeness.model_copy(update={"error": error})})
    other = f"the results of {spec.model.title} have other shapes than those of the first model, or are not finite"
    return facts.model_copy(update={"notes": (*facts.notes, other)})


def measure_difference(due: Array, got: Array, least: float = 0.0) -> float:
    """Return the 2-norm of the difference of two tensors over that of the first; infinite for other shapes.

    A norm below `least` counts as that.
    """
    if due.shape != got.shape:
        return math.inf
    return float(np.linalg.norm(got - due)) / (max(float(np.linalg.norm(due)), least) or 1.0)


def describe_forms(forms: set[tuple[tuple[tuple[int, ...], str], ...]]) -> str:
    """Describe the first two forms of sets of inputs."""
    said = (" and ".join(f"{dtype}{list(shape)}" for shape, dtype in form) for form in sorted(forms))
    return ", then ".join(list(said)[:2])
