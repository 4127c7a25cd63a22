"""The data of a problem in a file: drawn once by the judge, and read by every process that is measured.

So a measured process has no reference, no seed and no expected result. Members are NumPy arrays under
`weights.<name>`, `inputs.<set>.<number>`, `further.<set>.<number>`, `others.<shape>.<number>` and `unseen.<number>`,
beside `facts.json`. The last have an axis for the sets, of which there are many.
"""

import itertools
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from schemas.base import Model, NonNegativeInt
from schemas.job import Cell, JobSpec
from workers import artefacts
from workers.arrays import Array, cast_floating
from workers.problem.problem import Inputs, Problem
from workers.verification.stored_reference import write_array

FACTS = "facts.json"
WEIGHTS, INPUTS, FURTHER, OTHERS, UNSEEN = "weights.", "inputs.", "further.", "others.", "unseen."

# Sets of inputs that no call has had: enough for single calls on them, and where they are small also for whole samples.
# The size limits are for all of them together, unless they are already the fewest.
FEWEST_UNSEEN, FEW_UNSEEN, MOST_UNSEEN = 2, 32, 336
MAX_FEW_BYTES, MAX_UNSEEN_BYTES = 1 << 26, 1 << 24

# The time in which a judge should be able to find the right results of all further timed sets.
FURTHER_BUDGET_NS = 200_000_000


class GivenFacts(Model):
    """The facts about a reference that a measured process has to know."""

    is_uneven: bool
    is_foreign: bool
    is_continued: bool
    weights: tuple[str, ...]
    sets: NonNegativeInt
    further: NonNegativeInt
    others: NonNegativeInt
    unseen: NonNegativeInt


class GivenProblem(Problem):
    """The weights and inputs of a job, without what they must give."""

    def __init__(self, cell: Cell, path: Path) -> None:
        self.cell = cell
        with zipfile.ZipFile(path) as whole:
            self._facts = GivenFacts.model_validate_json(whole.read(FACTS))
        self.is_foreign, self._path = self._facts.is_foreign, None
        # Kept open: members are read when they are used. A pickle would run code from the folder of the file.
        self._members = np.load(path, allow_pickle=False)
        self.weights = {name: widen_floating(self._members[f"{WEIGHTS}{name}"]) for name in self._facts.weights}
        self.input_sets = [self._read_set(f"{INPUTS}{number}.") for number in range(self._facts.sets)]
        self._other_shapes = [self._read_set(f"{OTHERS}{number}.") for number in range(self._facts.others)]
        # Seeded by the kernel: nobody can know these numbers beforehand.
        self._rng = np.random.default_rng()
        self._given = iter(range(self._facts.unseen))
        self._recheck = None

    @property
    def is_uneven(self) -> bool:
        """True if one set of inputs may be more work than another."""
        return self._facts.is_uneven

    @property
    def is_continued(self) -> bool:
        """True if a step of training is verified from where timed ones have ended."""
        return self._facts.is_continued

    def draw_unseen(self, number: int) -> Iterator[Inputs]:
        """Yield sets of inputs that no call has had yet: those of the file, then timed ones one rounding off.

        Where the numbers may decide the work, these are timed ones in other memory.
        """
        given = self.draw_new(number)
        yield from given
        for place in range(number - len(given)):
            timed = self.input_sets[place % len(self.input_sets)]
            yield tuple(map(np.copy, timed)) if self.is_uneven else self._perturb_inputs(timed)

    def draw_new(self, number: int) -> list[Inputs]:
        """Read so many sets of inputs that nobody could make from timed ones, or as many as are left in the file."""
        chosen = [*itertools.islice(self._given, number)]
        names = [f"{UNSEEN}{place}" for place in range(len(self.input_sets[0]) if chosen else 0)]
        return [*zip(*(widen_floating(self._members[name][chosen]) for name in names), strict=True)]

    @property
    def timed_sets(self) -> int:
        """The number of sets of inputs that timed calls have, if there is time to exchange them."""
        return self._facts.sets + self._facts.further

    def read_timed_set(self, number: int) -> Inputs:
        """Read a set of inputs of timed calls: one of the first few, or a further one."""
        further = number - len(self.input_sets)
        return self.input_sets[number] if further < 0 else self._read_set(f"{FURTHER}{further}.")

    def _read_set(self, prefix: str) -> Inputs:
        number = sum(name.startswith(prefix) for name in self._members.files)
        return tuple(widen_floating(self._members[f"{prefix}{place}"]) for place in range(number))


def write_problem(problem: Problem, path: Path) -> None:
    """Write the data of a problem to a file."""
    others = [*problem.new_shapes.values()] if not problem.is_streaming else []
    size = max(1, sum(value.nbytes for value in problem.input_sets[0]))
    number = len(problem.input_sets)
    further = [
        problem.read_timed_set(number + place) for place in range(problem.choose_further_sets(FURTHER_BUDGET_NS))
    ]
    unseen = [] if problem.is_streaming else [*problem.draw_unseen(count_unseen(problem, size))]
    facts = GivenFacts(
        is_uneven=problem.is_uneven,
        is_foreign=problem.is_foreign,
        is_continued=problem.is_continued,
        weights=tuple(problem.weights),
        sets=number,
        further=len(further),
        others=len(others),
        unseen=len(unseen),
    )
    # The numbers of a cell in less than float64 have been rounded to float32.
    dtype = np.float64 if problem.dtype == "float64" else np.float32
    named = itertools.chain(
        ((f"{WEIGHTS}{name}", weight) for name, weight in problem.weights.items()),
        *(
            name_sets(prefix, sets)
            for prefix, sets in ((INPUTS, problem.input_sets), (FURTHER, further), (OTHERS, others))
        ),
        ((f"{UNSEEN}{place}", np.stack(values)) for place, values in enumerate(zip(*unseen, strict=True))),
    )
    with zipfile.ZipFile(path, "w", allowZip64=True) as whole:
        for name, value in named:
            write_array(whole, name, cast_floating(value, dtype))
        whole.writestr(FACTS, facts.model_dump_json())


def count_unseen(problem: Problem, size: int) -> int:
    """Return how many sets of inputs to draw that no call has had, each of so many bytes."""
    few = max(FEWEST_UNSEEN, min(FEW_UNSEEN, MAX_FEW_BYTES // size))
    return few if problem.is_uneven else max(few, min(MOST_UNSEEN, MAX_UNSEEN_BYTES // size))


def name_sets(prefix: str, sets: Sequence[Inputs]) -> Iterator[tuple[str, Array]]:
    """Yield the arrays of sets of inputs with their names."""
    return (
        (f"{prefix}{number}.{place}", value) for number, each in enumerate(sets) for place, value in enumerate(each)
    )


def widen_floating(value: Array) -> Array:
    """Return floating-point numbers as float64."""
    return cast_floating(value, np.float64)


def problem_from_given(spec: JobSpec) -> GivenProblem:
    """Read the problem of a job from the file that a judge has written.

    Raises:
        ArtefactChanged: the file cannot be read, or has changed.
    """
    assert spec.data is not None, "a measured workload has data"
    return GivenProblem(spec.cell, artefacts.verify_artefact(spec.data))
