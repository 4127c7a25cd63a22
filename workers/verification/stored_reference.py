"""The stored results of a reference that is one of the implementations: computed once, read by every job.

`workers/tasks/reference.py` writes one file of NumPy with every tensor under `<dtype>.<case>.<number>`. The tensors are
the outputs, or the loss and its gradients, or the losses and moves of training, in a step's order. A case is what is
checked together: a set of inputs, or the few that training begins with.
"""

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from schemas.job import TRAINING_TASKS, Dtype, Task
from workers.arrays import Array, cast_floating
from workers.interfaces import select_trained
from workers.verification.tolerance import (
    MOVE,
    Evaluate,
    Tensors,
    add_scales,
    cast_all,
    name_gradients,
    name_losses,
    name_outputs,
)

# The names of runs from data with other last bits begin with this: those in the cell's dtype, then those in float64.
ROUNDED, FINE = "rounded", "fine"

# The names of weights begin with this.
WEIGHTS = "weights."

# Cases, each with its tensors.
Cases = Iterable[tuple[str, Sequence[Array]]]


class StoredReference:
    """Reader of the file, which loads only the tensors of one case at a time."""

    def __init__(self, path: Path, task: Task, weights: Mapping[str, Array]) -> None:
        self._path, self._task, self._weights = path, task, weights

    def make_evaluator(self, case: str, run: str = "") -> Evaluate:
        """Return a function that reads a case in float64 or float32, with the scale of the error in each tensor."""

        def evaluate(
            dtype: DTypeLike, _off: np.random.Generator | None = None, _rounding: Dtype = "float32"
        ) -> tuple[Tensors, dict[str, float]]:
            tensors = self.read_tensors(case, dtype, run)
            if self._task == "forward":
                return add_scales(name_outputs(tensors if len(tensors) > 1 else tensors[0]))
            if self._task in TRAINING_TASKS:
                losses, moves = tensors[: -len(self._weights)], tensors[-len(self._weights) :]
                moved = zip(self._weights, moves, strict=True)
                return add_scales(name_losses(losses) | {f"{MOVE}{name}": move for name, move in moved})
            gradients = dict(zip(select_trained(self._weights), tensors[1:], strict=True))
            return name_gradients(tensors[0], gradients, cast_all(self._weights, dtype))

        return evaluate

    def list_roundings(self, case: str, *, fine: bool = False) -> list[Evaluate]:
        """Return functions that read the results from data with other last bits: in the cell's dtype, or in float64."""
        with zipfile.ZipFile(self._path) as whole:
            begin = FINE if fine else ROUNDED
            named = (name.partition(".") for name in whole.namelist() if name.startswith(begin))
            runs = {run for run, _, rest in named if rest.startswith(f"{case}.")}
        return [self.make_evaluator(case, run) for run in sorted(runs)]

    def read_tensors(self, case: str, dtype: DTypeLike = np.float64, run: str = "") -> tuple[Array, ...]:
        """Read the tensors of a case, of this run or else of the one in this dtype."""
        begin = f"{run or np.dtype(dtype).name}.{case}."
        # A pickle would run code from the run's folder.
        with np.load(self._path, allow_pickle=False) as kept:
            names = [name for name in kept.files if name.startswith(begin)]
            return tuple(kept[f"{begin}{number}"] for number in range(len(names)))


def write_cases(path: Path, given: Iterable[tuple[str, Cases]]) -> None:
    """Append results to the file as `numpy.savez` does, one case at a time instead of all at once."""
    for name, cases in given:
        dtype = np.float64 if name.startswith(("float64", FINE)) else np.float32
        for case, tensors in cases:
            # Opened for each case: whatever computes the next one may read the file, which is invalid while it is open.
            with zipfile.ZipFile(path, "a", allowZip64=True) as whole:
                for number, tensor in enumerate(tensors):
                    write_array(whole, f"{name}.{case}.{number}", cast_floating(np.asarray(tensor), dtype))


def copy_results(source: Path, path: Path) -> None:
    """Append the results in one file to another one."""
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(path, "a", allowZip64=True) as made:
        for name in whole.namelist():
            if name.startswith(("float64.", "float32.", ROUNDED, FINE)):
                made.writestr(name, whole.read(name))


def write_weights(path: Path, weights: Mapping[str, Array]) -> None:
    """Append the weights that the reference's model has made to the file."""
    with zipfile.ZipFile(path, "a", allowZip64=True) as whole:
        for name, weight in weights.items():
            write_array(whole, f"{WEIGHTS}{name}", weight)


def write_array(whole: zipfile.ZipFile, name: str, value: Array) -> None:
    """Write one array into the file."""
    # The size of a member is unknown in advance and may exceed the limit of plain zip files.
    with whole.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, value, allow_pickle=False)


def read_weights(path: Path) -> dict[str, Array]:
    """Read the weights that the reference's model has made, in its order."""
    with np.load(path, allow_pickle=False) as kept:
        return {name.removeprefix(WEIGHTS): kept[name] for name in kept.files if name.startswith(WEIGHTS)}
