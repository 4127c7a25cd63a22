"""The least work of a user's workload: the numbers that every implementation must read or write.

A lookup touches the rows that it looks up, and not its table. A weight is read for certain if the loss has a gradient
there. Results are written, unless all their numbers occur in what was given: a transposed or sliced array may be a
view. Inputs do not count: a model may ignore any part.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from schemas.job import TRAINING_TASKS, Task
from workers.arrays import Array
from workers.interfaces import Parameters, Reference
from workers.outputs import flatten_outputs
from workers.references.training import STEPS

# Numbers of a result that are looked for in what was given.
SAMPLED = 30


def count_touched(
    reference: Reference, task: Task, parameters: Parameters, weights: Mapping[str, Array], inputs: Sequence[Array]
) -> int:
    """Count them for one call, by the reference's formulas."""
    used = count_used_weights(reference, parameters, weights, inputs)
    if task != "forward":
        return 2 * used + 1  # each such weight has a gradient or a move, and there is a loss
    made = map(np.asarray, flatten_outputs(reference.forward(parameters, weights, *inputs)))
    return used + count_written([*made], (*weights.values(), *inputs))


def count_written(results: Sequence[Array], given: Sequence[Array]) -> int:
    """Count the numbers in results that cannot be views of what was given."""
    return sum(each.size for each in results if not any(occurs_in(each, one) for one in given))


def occurs_in(result: Array, given: Array) -> bool:
    """Return whether the numbers of a result occur in an array, judged by a few of them."""
    few = result.ravel()[:: max(1, result.size // SAMPLED)]
    return all(np.any(given == number) for number in few)


def count_used_weights(
    reference: Reference, parameters: Parameters, weights: Mapping[str, Array], inputs: Sequence[Array]
) -> int:
    """Count the numbers in all weights on which the loss depends; 0 if the reference cannot tell."""
    try:
        _, gradients = reference.backward(parameters, weights, *inputs)
    except Exception:  # a forward pass alone needs no backward function that works
        return 0
    return sum(map(np.count_nonzero, gradients.values()))


def count_in_results(tensors: Sequence[Array], task: Task, given: Sequence[Array]) -> int:
    """Count them by the stored results of a reference that is an implementation: outputs, gradients or moves."""
    if task == "forward":
        return count_written(tensors, given)
    # The moves are those of several steps, each of which may touch other rows.
    steps = STEPS if task in TRAINING_TASKS else 1
    return 2 * sum(map(np.count_nonzero, tensors)) // steps
