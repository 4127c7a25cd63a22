"""A user's model as it is: where it is, the inputs that it takes, and what its reference process found out about it."""

import re
from dataclasses import dataclass

from pydantic import Field

from schemas.base import Model, NonNegativeInt

# The size that a sweep varies by `--batch`.
BATCH = "batch"
INPUT_DTYPES = (
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
INPUT_FORM = re.compile(r"(?:([A-Za-z_]\w*)=)?([a-z]+[0-9]*)\[([^\]]*)\](?:<([0-9]+))?")
SIZE_FORM = re.compile(r"([A-Za-z_]\w*)(?:=([0-9]+))?|([0-9]+)")
INPUT_EXAMPLE = "'float32[batch,3,224,224]' or 'input_ids=int64[batch,length=128]<30522'"


class PytestCase(Model):
    """A test that compares callables of its own, and how pytest runs it again in another process."""

    node: str = Field(min_length=1, description="test_one, or TestAll::test_two[3], as pytest names it in its file")
    folder: str = Field(description="absolute path of the folder in which pytest was started")
    arguments: tuple[str, ...] = Field(default=(), description="arguments of pytest that decide what the test finds")
    options: dict[str, str | int | float | bool | None] = Field(
        default={}, description="values of the options that a conftest.py has added"
    )
    path: tuple[str, ...] = Field(default=(), description="folders that the test imports from")


class ModelSource(Model):
    """The place of a model: an attribute of a file or of a module, and the folder from which it imports.

    Exactly one of `file` and `module` is set. An empty `attribute` means that the file says by its names which object
    is the model; of a model file that is not Python, it is the signature to call. `inputs` describe the inputs of a
    model without an inputs function. With a `test`, the model is the callable that this test of the file compares under
    the name `attribute`.
    """

    file: str = Field(default="", description="absolute path of a Python file; empty: an import path is given")
    module: str = Field(default="", description="import path of a module; empty: a file is given")
    attribute: str = Field(default="", description="the object in it; empty: found by its name")
    folder: str = Field(description="absolute path of the folder that it imports from")
    inputs: tuple[str, ...] = Field(default=(), description=f"one for each input, such as {INPUT_EXAMPLE}")
    inputs_function: str = Field(default="", description="FILE:NAME or MODULE:NAME; empty: that of the model's file")
    test: PytestCase | None = Field(default=None, description="the test that the model is taken from; null: none")
    kind: str = Field(default="", description="of a model in a file: onnx, for example; empty: Python code")
    data: str = Field(default="", description="absolute path of an .npz file with inputs; empty: they are drawn")
    labels: str = Field(default="", description="absolute path of an .npy file with the right answers; empty: none")
    is_sibling: bool = Field(default=False, description="its results may differ from the first model's, and are said")

    @property
    def title(self) -> str:
        """Return the name by which its user knows it."""
        place = self.file.rpartition("/")[2] or self.module
        if self.test is not None:
            return f"{self.attribute} of {place}::{self.test.node}"
        return f"{place}:{self.attribute}" if self.attribute else place


class ModelRequest(Model):
    """A model in a sweep file: `source` is a file or an import path, each with `:NAME` where a name is needed."""

    source: str = Field(min_length=1, max_length=4096, description="problem.py, problem.py:Net or mypkg.nets:build")
    folder: str = Field(default="", description="folder that paths and imports are seen from; empty: the current one")
    inputs: tuple[str, ...] = Field(
        default=(), max_length=100, description=f"for a model without an inputs function, such as {INPUT_EXAMPLE}"
    )
    inputs_function: str = Field(
        default="", description="function that draws the inputs: mypkg.nets:inputs; empty: that of the model's file"
    )
    name: str = Field(default="", description="name of the model in results; empty: that of its file")
    framework: str = Field(default="", description="framework that runs it; empty: what its file says or imports")
    test: PytestCase | None = Field(default=None, description="the test that it is taken from; null: none")
    sizes: tuple[str, ...] = Field(
        default=(), max_length=100, description="names of sizes that a model file leaves open, other than its batch"
    )
    data: str = Field(default="", max_length=4096, description="an .npz file with the inputs of a model file, by name")
    labels: str = Field(default="", max_length=4096, description="an .npy file with the right answers to these inputs")
    is_sibling: bool = Field(
        default=False, description="a quantised or converted form of the first model, whose results may differ"
    )
    requirements: tuple[str, ...] = Field(
        default=(), max_length=1000, description="packages of the environment to create for it; none: it runs as it is"
    )


class Likeness(Model):
    """The comparison of a model's results with those of the first model of a sweep, and with the right answers."""

    error: float | None = Field(
        default=None,
        description="largest 2-norm of a difference over that of the first model's result; null: not compared",
    )
    right: NonNegativeInt | None = Field(default=None, description="answers that are as labelled; null: no labels")
    answers: NonNegativeInt | None = Field(default=None, description="answers that have a label; null: no labels")


class ModelFacts(Model):
    """Findings of a model's reference process, for the processes that measure it."""

    plain: bool = Field(description="a call takes and returns nothing but tensors, one or a tuple of them")
    trained: tuple[str, ...] = Field(default=(), description="the parameters that the loss depends on")
    flops: NonNegativeInt = Field(description="of the matrix products, convolutions and attention of one call")
    elements: NonNegativeInt = Field(description="numbers that a call must read or write: inputs and results")
    agreement: str = Field(default="", description="why only agreement in float32 is checked; empty: float64")
    dtypes: tuple[str, ...] = Field(default=(), description="of the inputs, as a model file has them; none: the cell's")
    coarse: bool = Field(default=False, description="it computes with less than float32, as a quantised model does")
    likeness: Likeness = Likeness()
    ill_conditioned: dict[str, float] = Field(
        default={}, description="how far other last bits move each result that they move far, as a part of its norm"
    )
    moved_in_float64: float = Field(default=0.0, description="how far such changes move one of these in float64")
    notes: tuple[str, ...] = Field(default=(), description="what a reader of the results must know, in sentences")


@dataclass(frozen=True, slots=True)
class InputSignature:
    """One input as its user describes it: sizes are numbers or names, `below` bounds integers."""

    name: str
    dtype: str
    sizes: tuple[int | str, ...]
    defaults: dict[str, int]
    below: int | None


def parse_input(text: str) -> InputSignature:
    """Parse the description of an input.

    Raises:
        ValueError: it is invalid; the message says why.
    """
    found = INPUT_FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} describes no input; write it as in {INPUT_EXAMPLE}")
    name, dtype, sizes, below = found.groups()
    if dtype not in INPUT_DTYPES:
        raise ValueError(f"{text!r}: there is no dtype {dtype}; choose one of {', '.join(INPUT_DTYPES)}")
    if below is not None and not dtype.startswith(("int", "uint")):
        raise ValueError(f"{text!r}: a bound such as <{below} is for integers only")
    read, defaults = parse_sizes(text, sizes)
    return InputSignature(name or "", dtype, tuple(read), defaults, None if below is None else int(below))


def parse_sizes(text: str, sizes: str) -> tuple[list[int | str], dict[str, int]]:
    """Parse the sizes in the description of an input; return them, and the defaults of those that have a name."""
    read, defaults = list[int | str](), dict[str, int]()
    for size in filter(None, (each.strip() for each in sizes.split(","))):
        parts = SIZE_FORM.fullmatch(size)
        if parts is None:
            raise ValueError(f"{text!r}: {size!r} is no size; write a number, {BATCH}, or a name such as length=128")
        symbol, default, number = parts.groups()
        if default is not None:
            defaults[symbol] = int(default)
        elif symbol not in (None, BATCH):
            raise ValueError(f"{text!r}: give {symbol} a value, as in {symbol}=128")
        read.append(symbol or int(number))
    return read, defaults
