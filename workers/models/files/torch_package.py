"""Packages of AOTInductor: compiled libraries without a graph, which nothing but another form of the model verifies."""

import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch

from schemas.job import Cell, Dtype
from schemas.models import INPUT_DTYPES, InputSignature, ModelSource
from workers.arrays import Array
from workers.errors import Malformed, Unsupported, is_out_of_memory
from workers.frameworks.torch import to_dense
from workers.frameworks.torch_mode import Call
from workers.frameworks.torch_package import choose_model, load_package, read_first_line, read_member
from workers.interfaces import Step
from workers.models.code.nested import list_leaves
from workers.models.files.adapter import FileAdapter
from workers.models.files.inputs import UNNAMED, describe_all, describe_unknown

# Makes a library check its inputs, which it would otherwise read past their end.
CHECKS = "AOTI_RUNTIME_CHECK_INPUTS"

# Lines of the library's source, which the archive holds beside it: the checks of an input in the order of the call.
NAMES = re.compile(r"inputs_info_\[\d+\]\.name = \"(\w+)\";")
DTYPE = r"\b{name}_expected_dtype = aoti_torch_dtype_(\w+)\(\);"
SIZES = r"assert_size_stride\({name}, \{{([^}}]*)\}}"
FIXED_SIZE = r"\((\d+) != {name}_size\[(\d+)\]\)"
LEAST_SIZE = r"\({name}_size\[(\d+)\] < \d+\)"
CONSTANT_DTYPES = re.compile(r"constants_info_\[\d+\]\.dtype = cached_torch_dtype_(\w+);")

COARSE_DTYPES = {"float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"}


class Adapter(FileAdapter):
    """A package whose results nothing computes but the package itself."""

    judged_by_first = True

    @property
    def agreement(self) -> str:
        """Return that nothing verifies it."""
        return (
            f"nothing verifies {self._source.title}, which holds a compiled library and no graph that could run in "
            "float64; results that change from call to call or are not finite are found; to verify it, name another "
            "form of the model with --same-as"
        )

    @cached_property
    def _model(self) -> str:
        return choose_model(self._source)

    @cached_property
    def _code(self) -> str:
        """The source of the library; empty if the archive has none."""
        said = read_member(self._source, self._model, "wrapper.cpp")
        return (said or b"").decode(errors="replace")

    @cached_property
    def _call(self) -> Call:
        check_members(self._source)
        os.environ[CHECKS] = "1"
        return load_package(self._source, self._cell.device)

    def list_inputs(self) -> Sequence[InputSignature]:
        """Return the inputs that the source of the library checks, or else those that the user describes."""
        found = read_signature(self._code)
        if found is not None:
            return found
        number = len(NAMES.findall(self._code)) or len(self._source.inputs) or 1
        return describe_unknown(self._source, [f"input{place}" for place in range(number)])

    @cached_property
    def coarse(self) -> bool:  # type: ignore[override]
        """Return whether its weights or results have less than float32."""
        made = {str(each.dtype).removeprefix("torch.") for each in self._run(self._example)}
        return bool(COARSE_DTYPES & (made | {*CONSTANT_DTYPES.findall(self._code)}))

    def make_step(self, dtype: Dtype) -> Step:
        """Return a call of the package."""
        if dtype == "float64":
            raise Unsupported(self.agreement)
        return lambda *inputs: tuple(map(to_dense, self._run(inputs)))

    def _run(self, inputs: Sequence[Array]) -> list[Any]:
        tensors = [
            torch.tensor(value, dtype=getattr(torch, dtype), device=self._cell.device)
            for value, dtype in zip(inputs, self.dtypes, strict=True)
        ]
        try:
            with torch.no_grad():
                return list_leaves(self._call(*tensors), (torch.Tensor,))
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise Malformed(
                f"{self._source.title} refuses its inputs ({describe_all(self.inputs.inputs)} with a batch of "
                f"{self._cell.batch}): {read_first_line(error)}; choose another --batch, or describe them with --input",
                self._source.file,
            ) from error


def read_signature(code: str) -> list[InputSignature] | None:
    """Read the inputs from the source of a library; None if it does not say all of them."""
    found = [describe_input(code, number, name) for number, name in enumerate(NAMES.findall(code))]
    known = [each for each in found if each is not None]
    return known if found and len(known) == len(found) else None


def describe_input(code: str, number: int, name: str) -> InputSignature | None:
    """Describe an input by its checks; None if they do not say its type or all of its sizes."""
    dtype, stated = (re.search(form.format(name=name), code) for form in (DTYPE, SIZES))
    if dtype is None or dtype[1] not in INPUT_DTYPES:
        return None
    if stated is not None:
        parts = [each.strip().removesuffix("L") for each in stated[1].split(",") if each.strip()]
        sizes = dict(enumerate(int(each) if each.isdecimal() else UNNAMED for each in parts))
    else:  # an input that the library does not use
        sizes = dict(read_checked_sizes(code, name))
    if [*sorted(sizes)] != [*range(len(sizes))]:
        return None
    return InputSignature(f"input{number}", dtype[1], tuple(sizes[axis] for axis in range(len(sizes))), {}, None)


def read_checked_sizes(code: str, name: str) -> Iterator[tuple[int, int | str]]:
    """Yield the axes of an input that are checked one by one, each with its size."""
    yield from ((int(axis), UNNAMED) for axis in re.findall(LEAST_SIZE.format(name=name), code))
    yield from ((int(axis), int(size)) for size, axis in re.findall(FIXED_SIZE.format(name=name), code))


def check_members(source: ModelSource) -> None:
    """Check that the archive is whole: a damaged library would end the process that calls it.

    Raises:
        Malformed: it is damaged.
    """
    try:
        with zipfile.ZipFile(source.file) as whole:
            damaged = whole.testzip()
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise Malformed(f"{source.title} is damaged: {error}") from error
    if damaged is not None:
        raise Malformed(f"{source.title} is damaged: the checksum of {damaged} does not fit it; write it again")


def make_adapter(source: ModelSource, cell: Cell, seed: int) -> Adapter:
    """Adapt a package."""
    return Adapter(source, cell, seed)
