"""What can be computed: workloads with their parameters and presets, and suites of them. Data, an entry each."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.base import Model, NonNegativeInt
from schemas.catalog import NAME, QUESTION
from schemas.job import Task


class Parameter(Model):
    """One size of a workload."""

    name: str
    default: NonNegativeInt
    minimum: NonNegativeInt
    summary: str


class Workload(Model):
    """A computation with weights, inputs and a float64 reference. `presets` are sizes by name, for some parameters.

    One that is not ours is in a user's `folder`, or in `module`, a package that is installed, and `code` is the hash of
    its files. `reference` names the framework whose implementation in float64 is the reference; empty: `reference.py`.
    """

    name: str = Field(pattern=NAME)
    summary: str
    parameters: tuple[Parameter, ...]
    presets: dict[str, dict[str, int]] = {}
    reference: str = ""
    folder: str = ""
    module: str = ""
    code: str = ""


Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=60)]


class Size(Model):
    """A parameter as `workload.toml` has it, in a table of its name."""

    default: NonNegativeInt
    minimum: NonNegativeInt = 1
    summary: str = ""


class WorkloadFile(Model):
    """`workload.toml` in a user's folder. All of a workload that the orchestrator reads: it runs no code for it."""

    name: str = Field(default="", max_length=60, description="empty: that of its folder")
    summary: str = ""
    reference: str = Field(
        default="", description="the framework whose implementation in float64 is the reference; empty: reference.py"
    )
    parameters: dict[Word, Size] = {}
    presets: dict[Word, dict[Word, NonNegativeInt]] = {}


class Suite(Model):
    """Axes by one name: what a sweep has unless it says otherwise."""

    name: str = Field(pattern=NAME)
    summary: str
    frameworks: tuple[str, ...]
    workloads: tuple[str, ...]
    tasks: tuple[Task, ...]
    budget: str


RNN_SIZES = (
    Parameter(name="hidden", default=20, minimum=1, summary="width of the hidden state"),
    Parameter(name="input", default=10, minimum=1, summary="width of the input"),
)

WORKLOADS: tuple[Workload, ...] = (
    Workload(name="rnn_cell", summary="one step of a recurrent network: tanh(W_h h + W_x x)", parameters=RNN_SIZES),
    Workload(
        name="rnn",
        summary="that cell along a sequence whose length the input decides",
        parameters=(
            *RNN_SIZES,
            Parameter(name="length", default=16, minimum=2, summary="steps in the sequences that are timed"),
            Parameter(
                name="fixed_length",
                default=0,
                minimum=0,
                summary="1: every input has that length; 0: verified on other lengths too",
            ),
        ),
    ),
    Workload(
        name="mlp",
        summary="a plain static network: linear layers with ReLU between them",
        parameters=(
            Parameter(name="input", default=32, minimum=1, summary="width of the input"),
            Parameter(name="width", default=64, minimum=1, summary="width of the hidden layers"),
            Parameter(name="depth", default=3, minimum=1, summary="number of linear layers"),
            Parameter(name="output", default=10, minimum=1, summary="width of the output"),
        ),
    ),
    Workload(
        name="synthetic",
        summary="an instrument: a product that takes a known time and holds known memory",
        parameters=(
            Parameter(name="spin_ns", default=100_000, minimum=0, summary="nanoseconds that a call takes"),
            Parameter(name="compile_ns", default=20_000_000, minimum=0, summary="nanoseconds that compiling takes"),
            Parameter(name="compiled_ns", default=50_000, minimum=0, summary="nanoseconds that a call takes then"),
            Parameter(name="hold_mib", default=0, minimum=0, summary="mebibytes that are held from the build on"),
        ),
    ),
)

SUITES: tuple[Suite, ...] = (
    Suite(
        name="question",
        summary="the question without arguments: one recurrent cell with its backward pass",
        frameworks=QUESTION,
        workloads=("rnn_cell",),
        tasks=("backward",),
        budget="5m",
    ),
)
