"""The file to which a worker saves its results: arrays one after another, each in the format of NumPy.

The judge reads it after the job. A tensor that has been saved before, value for value, is not saved again.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from schemas.event import SavedResults, SavedTensor
from workers.arrays import Array

# NumPy's format has these kinds of numbers. Others, such as bfloat16, fit into float32.
PORTABLE_KINDS = "biufc"


class ResultsChanged(Exception):
    """The file of a job's results is not what its report says."""


class ResultsWriter:
    """The results of one job. Without a path they are described, and saved nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[tuple[str, tuple[int, ...], str], SavedTensor] = {}
        self.saved: list[SavedResults] = []
        if path is not None:
            path.write_bytes(b"")

    def add_results(self, case: str, when: str, results: Sequence[Array], *, is_recheck: bool = False) -> None:
        """Save the results of a call, or of a few steps of training, on these inputs."""
        tensors = tuple(map(self._save_tensor, results))
        self.saved.append(SavedResults(case=case, when=when, tensors=tensors, is_recheck=is_recheck))

    def add_error(self, case: str, when: str, error: str) -> None:
        """Note what a call has raised."""
        self.saved.append(SavedResults(case=case, when=when, error=error))

    def _save_tensor(self, tensor: Array) -> SavedTensor:
        value = make_portable(tensor)
        digest = hash_array(value)
        key = (value.dtype.str, value.shape, digest)
        if key not in self._known:
            self._known[key] = SavedTensor(offset=self._append_array(value), sha256=digest)
        return self._known[key]

    def _append_array(self, value: Array) -> int:
        if self._path is None:
            return 0
        with self._path.open("ab") as file:
            offset = file.tell()
            np.lib.format.write_array(file, value, allow_pickle=False)
            return offset


def make_portable(tensor: Array) -> Array:
    """Return a tensor as a contiguous array whose dtype NumPy can write to a file."""
    value = np.asarray(tensor)
    return make_contiguous(value if value.dtype.kind in PORTABLE_KINDS else value.astype(np.float32))


def make_contiguous(value: Array) -> Array:
    """Return an array whose numbers follow each other; NumPy's own function would make one axis of none."""
    return np.ascontiguousarray(value).reshape(value.shape)


def hash_array(value: Array) -> str:
    """Return the SHA-256 of the values of a contiguous array."""
    return hashlib.sha256(value.reshape(-1).view(np.uint8).data).hexdigest()


def read_results(path: Path, saved: SavedResults) -> list[Array]:
    """Read the tensors of one call.

    Raises:
        ResultsChanged: the file holds something else.
    """
    try:
        with path.open("rb") as file:
            return [read_tensor(file, tensor) for tensor in saved.tensors]
    except (OSError, ValueError, EOFError) as error:
        raise ResultsChanged(f"its results cannot be read: {error}") from error


def read_tensor(file: BinaryIO, tensor: SavedTensor) -> Array:
    """Read one tensor, and check its hash."""
    file.seek(tensor.offset)
    # A pickle would run code of the job.
    value = make_contiguous(np.lib.format.read_array(file, allow_pickle=False))
    if hash_array(value) != tensor.sha256:
        raise ValueError("the hash of a tensor is another one")
    return value
