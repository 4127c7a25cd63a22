"""The problem of a user's model: its inputs, its state and its expected results come from its reference process."""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from schemas.event import Work
from schemas.job import TRAINING_TASKS, Cell, JobSpec, Task
from schemas.judging import BEGINNING, SET
from schemas.models import Likeness, ModelFacts
from workers import artefacts
from workers.arrays import Array, cast_floating
from workers.interfaces import RUNNING_PREFIX
from workers.models.stored_model import StoredModel
from workers.problem.problem import INPUT_SETS, Inputs, Problem
from workers.verification.stored_reference import StoredReference
from workers.verification.tolerance import MAX_TOLERANCE, RECHECK_TOLERANCE, Expectation, join_largest

# Adam divides each gradient by its size, and its error with it. The reference of training is the model itself, so no
# mode can do better than that.
MAX_TRAINING_TOLERANCE = 0.1

# The cases that an ill-conditioned mode repeats in float64: the inputs that it is prepared with, others, and training.
RECHECKED_CASES = (f"{SET}0", f"{SET}1", BEGINNING)

# Further sets of inputs whose results are expected. Calls after all samples have them too, so that a branch which few
# inputs take is met.
CHECKED_SETS = 4

# The size limit of a further set that is kept in memory, where reading it again would take longer than its calls.
MAX_KEPT_BYTES = 1 << 18


class ModelProblem(Problem):
    """A user's model as a problem. All sets of inputs have the shapes of the first one.

    `is_recheck` says that a cell in another dtype is verified in float64 too.
    """

    def __init__(
        self, cell: Cell, seed: int, stored: StoredModel, facts: ModelFacts, *, is_recheck: bool = False
    ) -> None:
        self.cell, self.stored, self.facts, self.is_recheck = cell, stored, facts, is_recheck
        # A model without inputs has as many empty sets, so that it is called like any other.
        self.input_sets = [self._read_set(number) for number in range(INPUT_SETS)]
        # Further sets are read when they are drawn: before, they would count as memory of the model.
        number = stored.count_sets()
        self._checked = range(INPUT_SETS, min(INPUT_SETS + CHECKED_SETS, number))
        self._fresh = iter(range(self._checked.stop, number))
        self._kept: dict[int, Inputs] = {}
        self.weights = select_weights(cell.task, stored, facts)
        self._other_shapes, self._path, self.is_foreign = [], None, False
        self._rng = np.random.default_rng(seed)
        self._expectations, self._precisions = {}, {}

    def _read_set(self, number: int) -> Inputs:
        return tuple(map(self._round_values, self.stored.read_set(number)))

    @property
    def is_uneven(self) -> bool:
        """Return False: sets of one shape are taken to be the same work."""
        return False

    @property
    def agreement(self) -> str:
        """Return why results are compared in float32 alone; empty: they are compared with float64."""
        return self.facts.agreement

    @property
    def likeness(self) -> Likeness:
        """Return the comparison of the model with the first one, and with the right answers."""
        return self.facts.likeness

    @property
    def dtypes(self) -> Sequence[str]:
        """Return the types of the inputs of a model file; none: they have the cell's."""
        return self.facts.dtypes

    @property
    def notes(self) -> Sequence[str]:
        """Return what a reader of the results must know, in sentences."""
        return self.facts.notes

    @property
    def moved_in_float64(self) -> float:
        """Return how far other last bits of float64 move a result, as the reference process found."""
        return self.facts.moved_in_float64

    @property
    def ill_conditioned(self) -> Mapping[str, float]:
        """Return how far other last bits move each tensor that they move far, as the reference process found."""
        return self.facts.ill_conditioned

    def find_ill_conditioned(self) -> dict[str, float]:
        """Find how far other last bits move each tensor that they move far, in any case."""
        return join_largest(self._find_expectation(case).list_ill_conditioned() for case in self.list_cases())

    def draw_new(self, number: int) -> list[Inputs]:
        """Read so many of the sets that no timed call has, or as many as are left."""
        return [self._read_set(fresh) for fresh in itertools.islice(self._fresh, number)]

    def draw_unseen(self, number: int) -> Iterator[Inputs]:
        """Yield the sets that no timed call has, then timed ones with every number up to one rounding off."""
        fresh = self.draw_new(number)
        yield from fresh
        for count in range(number - len(fresh)):
            yield self._perturb_inputs(self.input_sets[count % len(self.input_sets)])

    @property
    def timed_sets(self) -> int:
        """The number of sets of inputs that timed calls have, if there is time to exchange them."""
        return len(self.input_sets) + len(self._checked)

    def read_timed_set(self, number: int) -> Inputs:
        """Read a set of inputs of timed calls: one of the first few, or one of those whose results are expected."""
        further = number - len(self.input_sets)
        if further < 0:
            return self.input_sets[number]
        found = self._kept.get(further) or self._read_set(self._checked[further])
        if sum(each.nbytes for each in found) <= MAX_KEPT_BYTES:
            self._kept[further] = found
        return found

    @property
    def is_continued(self) -> bool:
        """Return False: only a model itself could say what it computes from other weights."""
        return False

    def list_later_sets(self) -> Iterator[tuple[int, Inputs]]:
        """Yield the timed sets after the first two."""
        if self.input_sets[0] and not self.is_training:
            yield from ((number, self.read_timed_set(number)) for number in range(2, self.timed_sets))

    def list_cases(self) -> dict[str, tuple[Inputs, ...]]:
        """Return the sets of inputs that are checked, grouped by the name of the case."""
        cases = super().list_cases() | {f"{SET}{number}": (inputs,) for number, inputs in self.list_later_sets()}
        return {case: sets for case, sets in cases.items() if not self.is_recheck or case in RECHECKED_CASES}

    def make_recheck(self) -> "ModelProblem":
        """Return the problem in float64, where the tolerance is narrow."""
        cell = self.cell.model_copy(update={"dtype": "float64", "track": "defaults"})
        return ModelProblem(cell, 0, self.stored, self.facts, is_recheck=True)

    def count_work(self) -> Work:
        """Return the least work of one call, as the reference process counted it."""
        return Work(flops=self.facts.flops, bytes=self.facts.elements * self.itemsize)

    def hash_data(self) -> str:
        """Hash every byte of the state and of the timed inputs."""
        digest = hashlib.sha256()
        for array in (*self.stored.read_state().values(), *(each for inputs in self.input_sets for each in inputs)):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def _make_expectation(self, case: str) -> Expectation:
        dtype = self.cell.dtype
        stored = StoredReference(self.stored.path, self.cell.task, self.weights)
        roundings = [] if self.facts.coarse else stored.list_roundings(case, fine=dtype == "float64")
        return Expectation(
            stored.make_evaluator(case),
            "bfloat16" if self.facts.coarse else dtype,
            roundings=roundings,
            trained=self.weights if self.is_training else {},
            limit=MAX_TRAINING_TOLERANCE if self.is_training else MAX_TOLERANCE,
            least=RECHECK_TOLERANCE if self.is_recheck else None,
        )


def problem_from_stored(spec: JobSpec) -> ModelProblem:
    """Read the problem of a job from the file of the model's reference process.

    Raises:
        ArtefactChanged: the file cannot be read, or has changed.
    """
    assert spec.expected is not None, "a model has a reference process"
    stored = StoredModel(artefacts.verify_artefact(spec.expected))
    return ModelProblem(spec.cell, spec.seed, stored, stored.read_facts())


def select_weights(task: Task, stored: StoredModel, facts: ModelFacts) -> dict[str, Array]:
    """Select what a task's results are about, by name: gradients of some parameters, or the moves of all state."""
    if task == "forward":
        return {}
    parameters = stored.read_parameters()
    chosen = {name: parameters[name] for name in facts.trained}
    if task in TRAINING_TASKS:
        chosen = name_weights(parameters, stored.read_buffers())
    return {name: cast_floating(value, np.float64) for name, value in chosen.items()}


def name_weights(parameters: Mapping[str, Array], buffers: Mapping[str, Array]) -> dict[str, Array]:
    """Return parameters and buffers by their names as weights, with a prefix for those that have no gradient."""
    return {**parameters, **{f"{RUNNING_PREFIX}{name}": value for name, value in buffers.items()}}
