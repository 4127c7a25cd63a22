"""The least work of a user's workload: the numbers that every implementation must read or write.

A lookup touches the rows that it looks up, and not its table. A weight is read for certain if the loss has a gradient
there. Results are written, unless they are views of what was given. Inputs do not count: a model may ignore any part.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from schemas.job import TRAINING_TASKS, Task
from workers.arrays import Array
from workers.interfaces import Parameters, Reference
from workers.outputs import flatten_outputs
from workers.references.training import STEPS


def count_touched(
    reference: Reference, task: Task, parameters: Parameters, weights: Mapping[str, Array], inputs: Sequence[Array]
) -> int:
    """Count them for one call, by the reference's formulas."""
    used = count_used_weights(reference, parameters, weights, inputs)
    if task != "forward":
        return 2 * used + 1  # each such weight has a gradient or a move, and there is a loss
    given = (*weights.values(), *inputs)
    made = map(np.asarray, flatten_outputs(reference.forward(parameters, weights, *inputs)))
    return used + sum(each.size for each in made if not any(np.may_share_memory(each, one) for one in given))


def count_used_weights(
    reference: Reference, parameters: Parameters, weights: Mapping[str, Array], inputs: Sequence[Array]
) -> int:
    """Count the numbers in all weights on which the loss depends; 0 if the reference cannot tell."""
    try:
        _, gradients = reference.backward(parameters, weights, *inputs)
    except Exception:  # a forward pass alone needs no backward function that works
        return 0
    return sum(map(np.count_nonzero, gradients.values()))


def count_in_results(tensors: Sequence[Array], task: Task) -> int:
    """Count them by the stored results of a reference that is an implementation: outputs, gradients or moves."""
    if task == "forward":
        return sum(tensor.size for tensor in tensors)
    # The moves are those of several steps, each of which may touch other rows.
    steps = STEPS if task in TRAINING_TASKS else 1
    return 2 * sum(map(np.count_nonzero, tensors)) // steps
