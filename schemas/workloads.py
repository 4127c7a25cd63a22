"""What can be computed: workloads with their parameters and presets, and suites of them. Data, an entry each."""

from pydantic import Field, NonNegativeInt

from schemas.base import Model
from schemas.catalog import NAME, QUESTION
from schemas.job import Task


class Parameter(Model):
    """One size of a workload."""

    name: str
    default: NonNegativeInt
    minimum: NonNegativeInt
    summary: str


class Workload(Model):
    """A computation with weights, inputs and a float64 reference. `presets` are sizes by name, for some parameters."""

    name: str = Field(pattern=NAME)
    summary: str
    parameters: tuple[Parameter, ...]
    presets: dict[str, dict[str, int]] = {}


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

FIXED_LENGTH = Parameter(
    name="fixed_length",
    default=0,
    minimum=0,
    summary="1: every input has that length; 0: verified on other lengths too",
)

WORKLOADS: tuple[Workload, ...] = (
    Workload(name="rnn_cell", summary="one step of a recurrent network: tanh(W_h h + W_x x)", parameters=RNN_SIZES),
    Workload(
        name="rnn",
        summary="that cell along a sequence whose length the input decides",
        parameters=(
            *RNN_SIZES,
            Parameter(name="length", default=16, minimum=2, summary="steps in the sequences that are timed"),
            FIXED_LENGTH,
        ),
    ),
    Workload(
        name="lstm_tagger",
        summary="a bidirectional LSTM that tags the tokens of sequences of varying length",
        parameters=(
            Parameter(name="vocabulary", default=100, minimum=2, summary="number of tokens that exist"),
            Parameter(name="width", default=16, minimum=1, summary="width of the embedding"),
            Parameter(name="hidden", default=16, minimum=1, summary="width of the hidden state of each direction"),
            Parameter(name="tags", default=9, minimum=2, summary="number of tags that exist"),
            Parameter(name="length", default=12, minimum=2, summary="steps of the longest sequence that is timed"),
            FIXED_LENGTH,
        ),
        presets={
            "small": {"vocabulary": 2000, "width": 64, "hidden": 64, "tags": 17, "length": 24},
            "medium": {"vocabulary": 10000, "width": 100, "hidden": 200, "tags": 17, "length": 32},
        },
    ),
    Workload(
        name="tree_lstm",
        summary="a Tree-LSTM over binary trees, each of a shape of its own",
        parameters=(
            Parameter(name="hidden", default=16, minimum=1, summary="width of a node's state"),
            Parameter(name="input", default=16, minimum=1, summary="width of a leaf's vector"),
            Parameter(name="leaves", default=10, minimum=2, summary="leaves of each tree"),
        ),
        presets={
            "small": {"hidden": 50, "input": 100, "leaves": 20},
            "medium": {"hidden": 150, "input": 300, "leaves": 20},
        },
    ),
    Workload(
        name="early_exit",
        summary="a recurrent block that is repeated until its own scores say that it is enough",
        parameters=(
            *RNN_SIZES,
            Parameter(name="maximum", default=24, minimum=8, summary="steps at most; inputs need a quarter or more"),
        ),
        presets={
            "small": {"hidden": 128, "input": 128, "maximum": 24},
            "medium": {"hidden": 512, "input": 512, "maximum": 48},
        },
    ),
    Workload(
        name="decode",
        summary="a decoder that picks token after token, its cache of keys and values growing with each",
        parameters=(
            Parameter(name="vocabulary", default=50, minimum=3, summary="number of tokens that exist"),
            Parameter(name="width", default=16, minimum=1, summary="width of embedding, keys and values"),
            Parameter(name="prompt", default=6, minimum=2, summary="tokens in the prompts that are timed"),
            Parameter(name="steps", default=8, minimum=2, summary="tokens that are picked"),
            FIXED_LENGTH,
        ),
        presets={
            "small": {"vocabulary": 1000, "width": 64, "prompt": 16, "steps": 32},
            "medium": {"vocabulary": 10000, "width": 256, "prompt": 32, "steps": 64},
        },
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
