"""The reference process of a user's model: the same model in float64, eager, with the same state and inputs.

It draws the inputs and builds the model once for all processes of a sweep, and refuses a model whose results nothing
could verify. The model also runs in the cell's dtype, as it is and from inputs and weights that differ by one rounding:
these differences are the error that an honest result may have. Where they are large, the model runs once more in
float64, from data that differ by one rounding of float64, as modes are verified in float64 then. Where the model cannot
run in float64, float32 takes its place, and only agreement is checked.
"""

import shutil
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from schemas.job import Dtype, JobSpec
from schemas.models import ModelFacts
from workers import artefacts, interfaces
from workers.arrays import Array, cast_floating
from workers.errors import Malformed, Unsupported, is_out_of_memory, summarise_error
from workers.measurement.generation import repeat_calls
from workers.measurement.phases import Ledger
from workers.models import Adapter, make_adapter
from workers.models.answers import compare_answers
from workers.models.files.adapter import FileAdapter
from workers.models.problem import CHECKED_SETS, RECHECKED_CASES, ModelProblem, name_weights
from workers.models.stored_model import LOSS, StoredModel, name_sets, name_state, write_arrays, write_facts
from workers.problem.problem import INPUT_SETS
from workers.session import prepare_step
from workers.tasks.model_variants import (
    carry_state,
    check_same_results,
    compare_with_first,
    describe_forms,
    describe_weights,
    is_sibling,
    share_sets,
)
from workers.verification.stored_reference import FINE, ROUNDED, Cases, copy_results, write_cases
from workers.verification.tolerance import SELF_FACTOR, perturb_values

# Sets of inputs that no timed call has: those of verified calls, and those that no call has had. Further ones are the
# timed ones with other last bits.
FRESH_SETS = CHECKED_SETS + 16

# The size limit of all sets together, unless they are already the fewest.
MAX_BYTES = 1 << 28

# The most sets, for whole samples of new inputs, where they are small and quickly drawn.
MOST_SETS, MAX_SMALL_BYTES, MAX_DRAWING_S = 336, 1 << 23, 0.2

# Runs from data with other last bits.
ROUNDED_RUNS = 3

# The tolerance for callables in float32. They have no inputs that could be moved by a rounding, which would tell how
# far results may honestly differ. This is well above the rounding of deep networks and of their gradients.
AGREEMENT = 1e-4

Kind = type[interfaces.Framework]


def write_reference(spec: JobSpec, kind: Kind, path: Path, ledger: Ledger) -> None:
    """Write the data, the facts and the expected results of a model to a file.

    Raises:
        Malformed: the model cannot be verified, or its code lacks something.
        Exception: whatever the code or the framework raises.
    """
    if spec.expected is not None and is_callable(spec):
        # All callables of a test are compared with the first one.
        with ledger.phase("reference"):
            shutil.copyfile(artefacts.verify_artefact(spec.expected), path)
        return
    with ledger.phase("build"):
        kind(make_default_spec(spec, "float32").cell).apply_settings()
        adapter = make_adapter(make_default_spec(spec, "float32"), spec.cell.framework)
        first = StoredModel(artefacts.verify_artefact(spec.expected)) if spec.expected else None
        sets = draw_sets(adapter, spec.seed) if first is None else share_sets(adapter, first, spec.seed)
        adapter.build()
        standard = first if is_judged_by_first(adapter) else None
        carried = standard is not None or (first is not None and carry_state(adapter, first))
        state = adapter.read_state()
        coefficients = draw_coefficients(adapter, spec.seed)
        changed = check_repeatable(spec, adapter, state[1], sets)
        write_arrays(path, (*name_sets(sets), *name_state(*state)))
        write_arrays(path, ((f"{LOSS}{number}", each) for number, each in enumerate(coefficients)))
        facts = find_facts(spec, adapter, sets, coefficients)
        notes = [
            *describe_changes(spec, changed),
            *(describe_weights(spec, state[0], carried=carried) if first else ()),
        ]
        facts = facts.model_copy(update={"notes": (*facts.notes, *notes)})
    with ledger.phase("reference"):
        write_results(ReferenceRun(spec, kind, StoredModel(path), facts, ledger), standard)
        if carried and not is_sibling(spec):
            check_same_results(spec, first, StoredModel(path))


def is_callable(spec: JobSpec) -> bool:
    """Return whether the model is a callable of a test, which has no inputs and no weights that could be read."""
    return spec.model is not None and spec.model.test is not None


def is_judged_by_first(adapter: Adapter) -> bool:
    """Return whether nothing but the first of several models says what a model has to compute."""
    return isinstance(adapter, FileAdapter) and adapter.judged_by_first


def describe_changes(spec: JobSpec, changed: Sequence[str]) -> Iterator[str]:
    """Describe what a call changes."""
    if changed and spec.cell.task == "forward":
        yield f"each call changes its buffer {changed[0]}, on which its results do not depend"


def draw_sets(adapter: Adapter, seed: int) -> list[tuple[Array, ...]]:
    """Draw the sets of timed calls, and fresh ones as long as they do not take too much memory.

    Raises:
        Malformed: the sets have different shapes or types.
    """
    sets = [adapter.draw_inputs(seed)]
    size = sum(each.nbytes for each in sets[0])
    fewest = INPUT_SETS + min(FRESH_SETS, MAX_BYTES // max(1, size))
    most, begun = min(MOST_SETS, MAX_SMALL_BYTES // size) if size else 0, time.monotonic()
    while len(sets) < fewest or (len(sets) < most and time.monotonic() - begun < MAX_DRAWING_S):
        sets.append(adapter.draw_inputs(seed + len(sets)))
    forms = {tuple((each.shape, each.dtype.name) for each in inputs) for inputs in sets}
    if len(forms) > 1:
        raise Malformed(f"the inputs function returns different shapes each time: {describe_forms(forms)}; fix them")
    return sets


def draw_coefficients(adapter: Adapter, seed: int) -> list[Array]:
    """Draw a fixed tensor for each output that can have a gradient."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape, floating in adapter.describe_outputs() if floating]


def check_repeatable(
    spec: JobSpec, adapter: Adapter, buffers: Mapping[str, Array], sets: Sequence[tuple[Array, ...]]
) -> list[str]:
    """Check that two calls on the same inputs give the same results; return the buffers that they have changed.

    Between the two stands a call on other inputs, whose results a model may have kept.

    Raises:
        Malformed: the results differ.
    """
    first, _, second = (call_on(adapter, inputs) for inputs in (sets[0], sets[-1], sets[0]))
    now = adapter.read_state()[1]
    changed = [name for name, value in buffers.items() if not np.array_equal(now[name], value, equal_nan=True)]
    if are_equal(first, second):
        return changed
    assert spec.model is not None
    if is_callable(spec):
        why = "they depend on earlier calls or on random numbers; make them the same each time"
    elif changed:
        why = f"each call changes its buffer {changed[0]}; make the results independent of earlier calls"
    elif are_equal(adapter.call_example(), adapter.call_example()):
        why = "they depend on the call before; make the results independent of earlier calls"
    else:
        why = f"it draws random numbers{adapter.name_random()}; switch that off in evaluation, or pass them as inputs"
    raise Malformed(f"two calls of {spec.model.title} on the same inputs differ: {why}", spec.model.file)


def call_on(adapter: Adapter, inputs: Sequence[Array]) -> Sequence[Array]:
    """Call a model on a set of inputs."""
    adapter.set_example(inputs)
    return adapter.call_example()


def are_equal(results: Sequence[Array], others: Sequence[Array]) -> bool:
    """Return whether the results of two calls are the same to the bit."""
    pairs = zip(results, others, strict=True)
    return all(np.array_equal(one, other, equal_nan=True) for one, other in pairs)


def find_facts(
    spec: JobSpec, adapter: Adapter, sets: Sequence[Sequence[Array]], coefficients: Sequence[Array]
) -> ModelFacts:
    """Find out what the measuring processes must know of the model."""
    trained = [] if spec.cell.task == "forward" else adapter.find_trained(coefficients)
    numbers = sum(each.size for each in sets[0] if not np.issubdtype(each.dtype, np.integer))
    results = sum(each.size for each in adapter.call_example()) if spec.cell.task == "forward" else 1
    return ModelFacts(
        plain=adapter.plain,
        trained=tuple(trained),
        flops=adapter.count_flops(coefficients),
        elements=numbers + results,
        dtypes=adapter.dtypes if isinstance(adapter, FileAdapter) else (),
        coarse=isinstance(adapter, FileAdapter) and adapter.coarse,
        agreement=adapter.agreement if isinstance(adapter, FileAdapter) else "",
        likeness=compare_answers(spec, adapter),
        notes=tuple(adapter.list_notes()),
    )


@dataclass(frozen=True, slots=True)
class ReferenceRun:
    """Runs of the model in one dtype after another, each from a state and with inputs that may be perturbed."""

    spec: JobSpec
    kind: Kind
    stored: StoredModel
    facts: ModelFacts
    ledger: Ledger

    def compute(
        self, dtype: Dtype, off: np.random.Generator | None = None, cases: Container[str] | None = None
    ) -> Cases:
        """Yield the results in each case, or in these, computed in this dtype."""
        spec = make_default_spec(self.spec, dtype)
        framework = self.kind(spec.cell)
        framework.apply_settings()
        adapter = make_adapter(spec, spec.cell.framework)
        adapter.draw_inputs(spec.seed)
        adapter.build()
        state = self.stored.read_state()
        adapter.load_state({name: perturb_values(each, off, dtype) for name, each in state.items()})
        begun = name_weights(*adapter.read_state()) if off else {}
        model = adapter.finish(self.facts.trained, self.stored.read_coefficients(), plain=self.facts.plain)
        problem = ModelProblem(spec.cell, spec.seed, self.stored, self.facts)
        # Other last bits of a weight are no part of its move.
        problem.weights = {
            name: cast_floating(begun.get(name, each), np.float64) for name, each in problem.weights.items()
        }
        if isinstance(adapter, FileAdapter):
            compute = adapter.make_computation(dtype)
        else:
            example = framework.arrays(problem.input_sets[0])
            step = prepare_step(framework, model, example, problem.infer_axes(), self.ledger)
            compute = partial(problem.compute_results, framework, repeat_calls(framework, step, self.spec.loop))
        chosen = {case: sets for case, sets in problem.list_cases().items() if cases is None or case in cases}
        for case, sets in chosen.items():
            moved = [tuple(perturb_values(each, off, dtype) for each in inputs) for inputs in sets]
            yield case, compute(*moved)


def write_results(run: ReferenceRun, standard: StoredModel | None) -> None:
    """Append the results and the facts.

    `standard` is the first model, whose results are expected of one that has nothing to compute its own.
    """
    spec, path = run.spec, run.stored.path
    if is_callable(spec):
        write_callable_results(spec, run, path)
        return
    expected, agreement = compute_expected(run)
    if standard is not None:
        agreement = standard.read_facts().agreement
    facts = run.facts.model_copy(update={"agreement": agreement})
    facts = compare_with_first(spec, expected, facts)
    if standard is not None:
        copy_results(standard.path, path)
        known, moved = standard.read_facts().ill_conditioned, standard.read_facts().moved_in_float64
    else:
        write_computed_results(run, facts, expected)
        known = ModelProblem(spec.cell, spec.seed, run.stored, facts).find_ill_conditioned()
        moved = measure_moved_in_float64(run, facts) if known else 0.0
    write_facts(path, facts.model_copy(update={"ill_conditioned": known, "moved_in_float64": moved}))


def measure_moved_in_float64(run: ReferenceRun, facts: ModelFacts) -> float:
    """Return how far last bits of float64 move the result that they move furthest, as a part of its norm."""
    problem = ModelProblem(run.spec.cell, run.spec.seed, run.stored, facts).make_recheck()
    return max(problem.find_ill_conditioned().values(), default=0.0)


def write_computed_results(run: ReferenceRun, facts: ModelFacts, expected: Cases) -> None:
    """Append the results in float64 and float32, then those from data with other last bits."""
    spec, path = run.spec, run.stored.path
    results: list[tuple[str, Cases]] = [("float64", expected)]
    if spec.cell.dtype == "float32":
        results.append(("float32", run.compute("float32")))
    write_cases(path, results)
    if facts.coarse:
        return
    if spec.cell.dtype != "float64":
        write_roundings(run, ROUNDED, spec.cell.dtype)
    problem = ModelProblem(spec.cell, spec.seed, run.stored, facts)
    if not facts.agreement and (spec.cell.dtype == "float64" or problem.find_ill_conditioned()):
        write_roundings(run, FINE, "float64", None if spec.cell.dtype == "float64" else RECHECKED_CASES)


def write_roundings(run: ReferenceRun, name: str, dtype: Dtype, cases: Container[str] | None = None) -> None:
    """Append the results of several runs from data with other last bits; none where the model lacks this dtype."""
    for number in range(ROUNDED_RUNS):
        results = run.compute(dtype, np.random.default_rng(number), cases)
        try:
            # In float32 the model has run already, and its results are written one case at a time.
            results = results if dtype == "float32" else list(results)
        except Exception as error:
            # The cell itself says what a model raises in this dtype.
            if is_out_of_memory(error):
                raise
            return
        write_cases(run.stored.path, [(f"{name}{number}", results)])


def compute_expected(run: ReferenceRun) -> tuple[Cases, str]:
    """Return the results in float64, or those in float32 with the reason why there are no others."""
    if run.facts.agreement:
        return list(run.compute("float32")), run.facts.agreement
    try:
        return list(run.compute("float64")), ""
    except Exception as error:
        # Whatever a model raises in float64, float32 decides whether it runs at all.
        if is_out_of_memory(error):
            raise
        said = str(error) if isinstance(error, Unsupported) else summarise_error(error)
        return list(run.compute("float32")), f"the model does not run in float64 ({said})"


def write_callable_results(spec: JobSpec, run: ReferenceRun, path: Path) -> None:
    """Append the results of a test's callable as it is, with the error that another one's may have."""
    assert spec.model is not None
    results = list(run.compute(spec.cell.dtype))
    reason = f"{spec.model.attribute} keeps its data to itself, and the results of all callables are compared with its"
    write_facts(path, run.facts.model_copy(update={"agreement": reason}))
    off = [(case, [np.asarray(each) * (1 + AGREEMENT / SELF_FACTOR) for each in tensors]) for case, tensors in results]
    runs: list[tuple[str, Cases]] = [("float64", results), ("float32", results), (f"{ROUNDED}0", off)]
    write_cases(path, runs)


def make_default_spec(spec: JobSpec, dtype: Dtype) -> JobSpec:
    """Return the job in this dtype on the track `defaults`: settings for equal times do not change a float64 result."""
    return spec.model_copy(update={"cell": spec.cell.model_copy(update={"dtype": dtype, "track": "defaults"})})
