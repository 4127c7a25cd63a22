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
        name="cnn",
        summary="a small convolutional network: two convolutions with ReLU and max pooling, and a linear layer",
        parameters=(
            Parameter(name="size", default=16, minimum=4, summary="height and width of the images"),
            Parameter(name="channels", default=3, minimum=1, summary="channels of the images"),
            Parameter(name="width", default=8, minimum=1, summary="channels after the first convolution"),
            Parameter(name="classes", default=10, minimum=2, summary="classes, and width of the output"),
        ),
        presets={
            "mnist": {"size": 28, "channels": 1, "width": 32, "classes": 10},
            "cifar": {"size": 32, "channels": 3, "width": 64, "classes": 10},
        },
    ),
    Workload(
        name="resnet",
        summary="a residual network of basic blocks, with batch normalisation: ResNet-18 with two blocks a stage",
        parameters=(
            Parameter(name="size", default=16, minimum=9, summary="height and width of the images"),
            Parameter(name="width", default=8, minimum=1, summary="channels in the first of four stages"),
            Parameter(name="blocks", default=1, minimum=1, summary="blocks in each stage"),
            Parameter(name="classes", default=10, minimum=2, summary="classes, and width of the output"),
            Parameter(
                name="large_stem", default=0, minimum=0, summary="1: 7 x 7 with stride 2, then pooling; 0: 3 x 3"
            ),
        ),
        presets={
            "cifar": {"size": 32, "width": 64, "blocks": 2, "classes": 10, "large_stem": 0},
            "imagenet": {"size": 224, "width": 64, "blocks": 2, "classes": 1000, "large_stem": 1},
        },
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
