"""The cells of a group that agree with each other, by the sketches that their first jobs left of their results.

A difference has the measure of a verification: the 2-norm of the difference of two tensors over that of the reference,
the largest of all tensors. Two cells agree if no tensor differs by more than the tolerances of both together: that is
how far apart two right results may be.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.results import Group, Result
from schemas.event import TensorCheck

# The place of a difference between results of which one has more tensors.
OTHER_NUMBER = "number of tensors"


@dataclass(frozen=True, slots=True)
class Difference:
    """The tensor in which two results differ most, measured by what is allowed; infinite if they cannot be compared."""

    tensor: str
    error: float
    agrees: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """The results that can be compared, by the labels of their cells in the order of the plan.

    `from_reference` is exact, as the worker measured it. `pairs` are estimates, by two labels in that order. There is
    none of two cells with other inputs or weights.
    """

    labels: tuple[str, ...]
    from_reference: Mapping[str, Difference]
    pairs: Mapping[tuple[str, str], Difference]

    def find_pair(self, one: str, other: str) -> Difference | None:
        """Return the difference of two cells, named in either order; None if they are not compared."""
        return self.pairs.get((one, other)) or self.pairs.get((other, one))

    @property
    def agreeing_sets(self) -> tuple[tuple[str, ...], ...]:
        """Return the labels in sets whose members all agree with each other, the largest first."""
        found: list[list[str]] = []
        for label in self.labels:
            for members in found:
                if all((pair := self.find_pair(label, each)) and pair.agrees for each in members):
                    members.append(label)
                    break
            else:
                found.append([label])
        return tuple(sorted(map(tuple, found), key=len, reverse=True))

    def find_largest(self, labels: Iterable[str], others: Iterable[str] | None = None) -> Difference | None:
        """Return the largest difference among these cells, or between these and others; None without any."""
        ends = itertools.combinations(labels, 2) if others is None else itertools.product(labels, others)
        found = (self.find_pair(*each) for each in ends)
        return max((each for each in found if each), key=lambda each: each.error, default=None)


def compare_results(group: Group) -> Agreement | None:
    """Compare the results of a group's cells; None where that says no more than the verdicts, or nothing at all.

    It says something if a cell is wrong, if only agreement was checked, or if the models are files.
    """
    every = [result for result in group.results if not result.cell.replica]
    compared = [result for result in every if result.sketched]
    if len(compared) < 2 or not any(map(is_in_question, every)):
        return None
    pairs = (pair for pair in itertools.combinations(compared, 2) if is_comparable(*pair))
    return Agreement(
        tuple(result.label for result in compared),
        {result.label: choose_worst(measure_from_reference(result.sketched)) for result in compared},
        {(one.label, other.label): choose_worst(measure_pair(one.sketched, other.sketched)) for one, other in pairs},
    )


def is_in_question(result: Result) -> bool:
    """Return whether the verdict on a cell's results leaves open which other cells agree with it."""
    is_file = result.model is not None and bool(result.model.kind or result.model.is_sibling)
    return result.outcome == "wrong" or result.only_agrees or is_file


def is_comparable(one: Result, other: Result) -> bool:
    """Return whether two cells had the same inputs and weights; of siblings, only the inputs are the same."""
    is_sibling = any(each.model is not None and each.model.is_sibling for each in (one, other))
    return is_sibling or one.inputs_sha256 == other.inputs_sha256


def measure_from_reference(checks: Sequence[TensorCheck]) -> Iterator[Difference]:
    """Yield the differences that the worker measured."""
    for check in checks:
        yield Difference(check.tensor, math.inf if check.error is None else check.error, check.passed)


def measure_pair(one: Sequence[TensorCheck], other: Sequence[TensorCheck]) -> Iterator[Difference]:
    """Yield the difference of two results in each tensor; the norms are those of the first."""
    if len(one) != len(other):
        yield Difference(OTHER_NUMBER, math.inf, agrees=False)
    for first, second in zip(one, other, strict=False):
        if not first.scale or not first.sketch or len(first.sketch) != len(second.sketch):
            yield Difference(first.tensor, math.inf, agrees=False)
        else:
            error = float(np.linalg.norm(np.subtract(first.sketch, second.sketch))) / first.scale
            yield Difference(first.tensor, error, error <= first.tolerance + second.tolerance)


def choose_worst(differences: Iterable[Difference]) -> Difference:
    """Return the largest difference, or the largest of those that no tolerance allows."""
    return max(differences, key=lambda each: (not each.agrees, each.error))
