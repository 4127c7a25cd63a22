"""Inputs of a model file, by the signature that it has: shapes with open sizes, and types."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from schemas.job import Cell
from schemas.models import BATCH, InputSignature, ModelSource, parse_input
from workers.arrays import Array
from workers.errors import Malformed, Unsupported
from workers.models.signature import draw_array

# Names that exporters give the first axis of inputs.
BATCH_NAMES = ("batch", "n", "bs")

# A size without a name, as some files have it.
UNNAMED = ""


@dataclass(frozen=True, slots=True)
class FileInputs:
    """The inputs of one cell, each as the file or the user describes it."""

    source: ModelSource
    cell: Cell
    inputs: tuple[InputSignature, ...]

    def draw(self, seed: int, first_seed: int) -> tuple[Array, ...]:
        """Draw one set of inputs, or take it from the rows of the user's data."""
        sizes = {BATCH: self.cell.batch, **self.cell.parameters}
        if self.source.data:
            return tuple(self._take_rows(sizes, seed - first_seed))
        rng = np.random.default_rng(seed)
        return tuple(draw_array(each, sizes, rng) for each in self.inputs)

    def _take_rows(self, sizes: Mapping[str, int], turn: int) -> Iterator[Array]:
        for signature, given in zip(self.inputs, read_data(self.source.data, self.inputs), strict=True):
            due = [size if isinstance(size, int) else sizes.get(size, 0) for size in signature.sizes]
            rows = due[0] if due else 0
            if given.ndim != len(due) or list(given.shape[1:]) != due[1:] or len(given) < rows:
                raise Malformed(
                    f"{signature.name} in {self.source.data} has the shape {list(given.shape)}, which does not fit "
                    f"{describe_input(signature)}; store rows of {due[1:]}, and at least {rows}"
                )
            # Later sets are the next rows, from the first again after the last.
            yield given if not due else np.take(given, range(turn * rows, (turn + 1) * rows), axis=0, mode="wrap")


def make_inputs(source: ModelSource, cell: Cell, found: Sequence[InputSignature]) -> FileInputs:
    """Complete the signature of a file: with the user's descriptions, and names for its open sizes.

    Raises:
        Malformed: a description does not fit, a size stays open, or a size is named that no input has.
        Unsupported: the file has one batch size, and the cell another.
    """
    described = match_descriptions(source, found)
    named = tuple(name_batch(each) for each in described)
    names = {size for each in named for size in each.sizes if isinstance(size, str)}
    for each in named:
        check_sizes(source, cell, each)
    if unknown := sorted({*cell.parameters} - names):
        others = ", ".join(sorted(names)) or "none"
        raise Malformed(f"{source.title} leaves no size {unknown[0]} open; the open ones are: {others}")
    if BATCH not in names and cell.batch != 1:
        raise Unsupported(f"{source.title} has inputs of fixed sizes ({describe_all(named)}); leave out --batch")
    return FileInputs(source, cell, named)


def describe_unknown(source: ModelSource, names: Sequence[str]) -> list[InputSignature]:
    """Return the signature of a file that knows nothing but the names of its inputs: the user's descriptions or data.

    Raises:
        Malformed: there are others, or none.
    """
    if source.data and not source.inputs:
        return describe_rows(source.data, names)
    matched, more = match_names(source.inputs, names)
    if more or None in matched:
        raise Malformed(
            f"{source.title} does not say the shapes of its inputs ({', '.join(names)}); describe each of them, as in "
            f"--input 'float32[batch,3,224,224]'"
        )
    return [replace(each, name=name) for name, each in zip(names, matched, strict=True) if each is not None]


def match_names(texts: Iterable[str], names: Iterable[str]) -> tuple[list[InputSignature | None], bool]:
    """Return the user's description of each input, by its name or else in order, and whether there are more."""
    described = [parse_input(text) for text in texts]
    by_name = {each.name: each for each in described if each.name}
    rest = iter([each for each in described if not each.name])
    matched = [by_name.pop(name, None) or next(rest, None) for name in names]
    return matched, bool(by_name) or next(rest, None) is not None


def describe_rows(path: str, names: Sequence[str]) -> list[InputSignature]:
    """Return the signature of a file by the user's rows of its inputs."""
    unnamed = [InputSignature(name, "", (), {}, None) for name in names]
    rows = zip(names, read_data(path, unnamed), strict=True)
    return [InputSignature(name, each.dtype.name, (BATCH, *each.shape[1:]), {}, None) for name, each in rows]


def match_descriptions(source: ModelSource, found: Sequence[InputSignature]) -> list[InputSignature]:
    """Return the signature with those inputs replaced that the user describes."""
    matched, more = match_names(source.inputs, [each.name for each in found])
    if more:
        raise Malformed(f"--input describes an input that {source.title} does not have; it has {describe_all(found)}")
    for due, own in zip(found, matched, strict=True):
        if own is not None:
            check_fit(source, due, own)
    return [replace(own or due, name=due.name) for due, own in zip(found, matched, strict=True)]


def check_fit(source: ModelSource, due: InputSignature, own: InputSignature) -> None:
    """Check that an input as the user describes it can be the one that a file has."""
    same = due.dtype == own.dtype and len(due.sizes) == len(own.sizes)
    if not same or any(
        isinstance(size, int) and size != given for size, given in zip(due.sizes, own.sizes, strict=True)
    ):
        raise Malformed(f"--input {describe_input(own)} does not fit {source.title}, which takes {describe_input(due)}")


def name_batch(signature: InputSignature) -> InputSignature:
    """Return an input whose first size is the batch, if it is open and has no name or that of a batch."""
    first, *rest = signature.sizes or (None,)
    if not isinstance(first, str) or not is_batch_name(first):
        return signature
    return replace(signature, sizes=(BATCH, *rest))


def is_batch_name(name: str) -> bool:
    """Return whether an open first size is the batch: it has no name, or one that says so."""
    return name.lower() in BATCH_NAMES or name == UNNAMED or name.lower().startswith(BATCH)


def check_sizes(source: ModelSource, cell: Cell, signature: InputSignature) -> None:
    """Check that every open size of an input has a value."""
    for axis, size in enumerate(signature.sizes):
        if size == UNNAMED:
            known = ",".join(str(each or f"size{number}=8") for number, each in enumerate(signature.sizes))
            raise Malformed(
                f"{source.title} leaves axis {axis} of {signature.name} open and does not name it; describe the input, "
                f"as in --input '{signature.dtype}[{known}]'"
            )
        if isinstance(size, str) and size != BATCH and size not in cell.parameters:
            raise Malformed(
                f"{source.title} leaves the size {size} of {signature.name} open; give it a value, as in --dim "
                f"{size}=128"
            )


def read_data(path: str, inputs: Sequence[InputSignature]) -> list[Array]:
    """Read the user's arrays: those named like the inputs, or one for each in the order of the file.

    Raises:
        Malformed: it is no such file, or has other arrays.
    """
    try:
        # A pickle would run code from a file that holds nothing but numbers.
        with np.load(path, allow_pickle=False) as kept:
            names = [each.name for each in inputs]
            if not {*names} <= {*kept.files} and len(kept.files) == len(names):
                names = kept.files
            return [kept[name] for name in names]
    except (OSError, ValueError, KeyError) as error:
        due = ", ".join(each.name for each in inputs)
        raise Malformed(f"{path} must be an .npz file with the arrays {due} ({error})") from error


def describe_input(signature: InputSignature) -> str:
    """Describe an input as `--input` takes it."""
    sizes = ",".join(str(size) if size != UNNAMED else "?" for size in signature.sizes)
    return f"{signature.name}={signature.dtype}[{sizes}]".lstrip("=")


def describe_all(inputs: Iterable[InputSignature]) -> str:
    """Describe inputs in a few words."""
    return ", ".join(map(describe_input, inputs)) or "none"
