"""The file that a model's reference process writes: inputs, state, loss, facts, and the expected results.

The processes that measure the model read it. So all of them have the same inputs and the same state, and none has to
trust that random numbers come out alike. Members are NumPy arrays under `inputs.<set>.<number>`, `parameter.<name>`,
`buffer.<name>` and `loss.<number>`, then the results as `workers/verification/stored_reference.py` reads them.
"""

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from schemas.models import ModelFacts
from workers.arrays import Array

FACTS = "facts.json"
PARAMETER, BUFFER, LOSS, INPUTS = "parameter.", "buffer.", "loss.", "inputs."

Named = Iterable[tuple[str, Array]]


class StoredModel:
    """Reader of the file, which loads only what is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read_facts(self) -> ModelFacts:
        """Read what the reference process found out."""
        with zipfile.ZipFile(self.path) as whole:
            return ModelFacts.model_validate_json(whole.read(FACTS))

    def read_parameters(self) -> dict[str, Array]:
        """Read the parameters by name, in the model's order."""
        return dict(self._read_all(PARAMETER))

    def read_buffers(self) -> dict[str, Array]:
        """Read the buffers by name, in the model's order."""
        return dict(self._read_all(BUFFER))

    def read_state(self) -> dict[str, Array]:
        """Read parameters and buffers."""
        return self.read_parameters() | self.read_buffers()

    def read_coefficients(self) -> list[Array]:
        """Read the fixed random tensors whose inner product with the outputs is the loss."""
        return [array for _, array in self._read_all(LOSS)]

    def count_sets(self) -> int:
        """Count the sets of inputs: those of timed calls, then those that no timed call has."""
        with zipfile.ZipFile(self.path) as whole:
            names = (name.removeprefix(INPUTS) for name in whole.namelist() if name.startswith(INPUTS))
            return len({name.partition(".")[0] for name in names})

    def read_set(self, number: int) -> tuple[Array, ...]:
        """Read a set of inputs."""
        return tuple(array for _, array in self._read_all(f"{INPUTS}{number}."))

    def read_sets(self) -> list[tuple[Array, ...]]:
        """Read all sets of inputs."""
        return [self.read_set(number) for number in range(self.count_sets())]

    def copy_data(self, path: Path) -> None:
        """Copy inputs, state, loss and facts to another file, without the expected results."""
        with zipfile.ZipFile(self.path) as whole, zipfile.ZipFile(path, "w", allowZip64=True) as made:
            for name in whole.namelist():
                if name.startswith((PARAMETER, BUFFER, LOSS, INPUTS, FACTS)):
                    made.writestr(name, whole.read(name))

    def _read_all(self, prefix: str) -> Iterator[tuple[str, Array]]:
        # A pickle would run code from the run's folder.
        with np.load(self.path, allow_pickle=False) as kept:
            for name in kept.files:
                if name.startswith(prefix):
                    yield name.removeprefix(prefix), kept[name]


def write_arrays(path: Path, named: Named) -> None:
    """Append arrays to the file, one at a time."""
    with zipfile.ZipFile(path, "a", allowZip64=True) as whole:
        for name, array in named:
            # The size of a member is unknown in advance and may exceed the limit of plain zip files.
            with whole.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)


def write_facts(path: Path, facts: ModelFacts) -> None:
    """Append the facts to the file."""
    with zipfile.ZipFile(path, "a", allowZip64=True) as whole:
        whole.writestr(FACTS, facts.model_dump_json())


def name_sets(sets: Sequence[Sequence[Array]]) -> Named:
    """Yield sets of inputs with their names in the file."""
    return (
        (f"{INPUTS}{number}.{place}", array) for number, inputs in enumerate(sets) for place, array in enumerate(inputs)
    )


def name_state(parameters: Mapping[str, Array], buffers: Mapping[str, Array]) -> Named:
    """Yield parameters and buffers with their names in the file."""
    for prefix, state in ((PARAMETER, parameters), (BUFFER, buffers)):
        yield from ((f"{prefix}{name}", array) for name, array in state.items())
