"""Workloads with their parameters and presets, and suites of workloads, as data."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.base import Model, NonNegativeInt
from schemas.catalog import DEFAULT_MODES, NAME
from schemas.job import Task
from schemas.models import ModelSource


class Parameter(Model):
    """One size of a workload."""

    name: str
    default: NonNegativeInt
    minimum: NonNegativeInt
    summary: str


class Workload(Model):
    """A computation with weights, inputs and a float64 reference. `presets` are named sizes for some parameters.

    A workload that is not built in is in a user's folder, `source_dir`, or in an installed `package`. `code` is the
    hash of its files. `reference` names the framework whose float64 implementation is the reference; empty:
    `reference.py`. `weights` names the one whose model has the weights; empty: `reference.py` draws them. `loop` names
    the parameter that says how often a timed call calls the model, as one that generates; empty: once.
    """

    name: str = Field(pattern=NAME)
    summary: str
    parameters: tuple[Parameter, ...]
    presets: dict[str, dict[str, int]] = {}
    reference: str = ""
    weights: str = ""
    loop: str = ""
    # The aliases are the names in entry points and in JSON documents, which do not change.
    source_dir: str = Field(default="", alias="folder")
    package: str = Field(default="", alias="module")
    model: ModelSource | None = Field(default=None, description="a user's model as it is; null: a workload")
    code: str = ""
    variant_of: str = Field(default="", description="the name that several implementations of one thing share")

    def count_calls(self, parameters: Mapping[str, int]) -> int:
        """Return how often a timed call calls the model, with these parameters."""
        return parameters[self.loop] if self.loop else 1

    @property
    def key(self) -> str:
        """Return the name that no other workload of a sweep has."""
        return f"{self.variant_of}/{self.name}" if self.variant_of else self.name


Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=60)]


class ParameterTable(Model):
    """A parameter in `workload.toml`: the table under its name."""

    default: NonNegativeInt
    minimum: NonNegativeInt = 1
    summary: str = ""


class WorkloadFile(Model):
    """The content of `workload.toml`. The orchestrator reads nothing else of a workload, and runs none of its code."""

    name: str = Field(default="", max_length=60, description="empty: the name of its folder")
    summary: str = ""
    reference: str = Field(
        default="", description="framework whose float64 implementation is the reference; empty: reference.py"
    )
    weights: str = Field(
        default="",
        description="framework whose model makes its own weights, and is the reference too; empty: reference.py",
    )
    loop: str = Field(default="", description="parameter that says how often a timed call calls the model; empty: once")
    parameters: dict[Word, ParameterTable] = {}
    presets: dict[Word, dict[Word, NonNegativeInt]] = {}


class Suite(Model):
    """A named set of axes: defaults that a sweep may override."""

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

ROWS = Parameter(name="rows", default=32, minimum=1, summary="rows of the matrix that is one example")

FIXED_LENGTH = Parameter(
    name="fixed_length",
    default=0,
    minimum=0,
    summary="1: every input has that length; 0: also verified on other lengths",
)

# A model that is called once for each token.
GENERATION = (
    Parameter(name="prompt", default=6, minimum=2, summary="tokens of the timed prompts"),
    Parameter(name="context", default=4, minimum=1, summary="tokens whose keys and values are cached beforehand"),
    Parameter(name="steps", default=8, minimum=2, summary="calls, each of which generates a token"),
    FIXED_LENGTH,
)

# Single operations. Presets range from cache-sized to memory-bound: over 32 MiB of weights, inputs and results.
OPERATIONS: tuple[Workload, ...] = (
    Workload(
        name="matmul",
        summary="one matrix product: rows times a square matrix",
        parameters=(
            ROWS,
            Parameter(name="size", default=128, minimum=1, summary="length of a row; the weight is square"),
        ),
        presets={"cache": {"rows": 512, "size": 512}, "memory": {"rows": 16, "size": 4096}},
    ),
    Workload(
        name="conv2d",
        summary="one convolution of images with a kernel of 3 x 3",
        parameters=(
            Parameter(name="size", default=16, minimum=1, summary="height and width of an image"),
            Parameter(name="channels", default=16, minimum=1, summary="channels of an image"),
            Parameter(name="filters", default=32, minimum=1, summary="channels of the output"),
        ),
        presets={
            "cache": {"size": 32, "channels": 64, "filters": 64},
            "memory": {"size": 512, "channels": 16, "filters": 16},
        },
    ),
    Workload(
        name="elementwise_chain",
        summary="a chain of elementwise operations: scale, shift, exp, clamp, a cubic, and again",
        parameters=(
            Parameter(name="length", default=4, minimum=1, summary="links of the chain, of 12 operations each"),
            Parameter(name="size", default=4096, minimum=1, summary="numbers in one example"),
        ),
        presets={"cache": {"size": 1 << 18}, "memory": {"size": 1 << 22}},
    ),
    Workload(
        name="softmax",
        summary="softmax along rows, after a bias is added",
        parameters=(ROWS, Parameter(name="width", default=64, minimum=2, summary="length of a row")),
        presets={"cache": {"rows": 512, "width": 512}, "memory": {"rows": 8192, "width": 1024}},
    ),
    Workload(
        name="layer_norm",
        summary="layer normalisation along rows, with gain and shift",
        parameters=(ROWS, Parameter(name="width", default=64, minimum=2, summary="length of a row")),
        presets={"cache": {"rows": 512, "width": 512}, "memory": {"rows": 8192, "width": 1024}},
    ),
    Workload(
        name="reduction",
        summary="reductions along both axes of a matrix: a mean of squares and a maximum",
        parameters=(ROWS, Parameter(name="width", default=64, minimum=1, summary="length of a row")),
        presets={"cache": {"rows": 512, "width": 512}, "memory": {"rows": 8192, "width": 1024}},
    ),
    Workload(
        name="gather_scatter",
        summary="rows of a table, gathered by indices in pairs, multiplied, and summed into bins",
        parameters=(
            Parameter(name="entries", default=1024, minimum=1, summary="rows of the table"),
            Parameter(name="width", default=16, minimum=1, summary="length of a row"),
            Parameter(name="pairs", default=128, minimum=1, summary="pairs of rows in one example"),
            Parameter(name="bins", default=32, minimum=1, summary="rows of the output"),
        ),
        presets={
            "cache": {"entries": 1 << 14, "pairs": 1 << 12, "bins": 1 << 10},
            "memory": {"entries": 1 << 18, "width": 32, "pairs": 1 << 16, "bins": 1 << 14},
        },
    ),
)

WORKLOADS: tuple[Workload, ...] = (
    Workload(
        name="rnn_cell",
        summary="one step of a recurrent network: tanh(W_h h + W_x x)",
        parameters=RNN_SIZES,
        presets={"small": {"hidden": 128, "input": 128}, "large": {"hidden": 1024, "input": 1024}},
    ),
    Workload(
        name="rnn",
        summary="the same cell along a sequence whose length depends on the input",
        parameters=(
            *RNN_SIZES,
            Parameter(name="length", default=16, minimum=2, summary="steps of the timed sequences"),
            FIXED_LENGTH,
        ),
        presets={
            "small": {"hidden": 128, "input": 128, "length": 28},
            "large": {"hidden": 1024, "input": 1024, "length": 64},
        },
    ),
    Workload(
        name="lstm_tagger",
        summary="a bidirectional LSTM that tags the tokens of sequences of varying length",
        parameters=(
            Parameter(name="vocabulary", default=100, minimum=2, summary="number of distinct tokens"),
            Parameter(name="width", default=16, minimum=1, summary="width of the embedding"),
            Parameter(name="hidden", default=16, minimum=1, summary="width of the hidden state of each direction"),
            Parameter(name="tags", default=9, minimum=2, summary="number of distinct tags"),
            Parameter(name="length", default=12, minimum=2, summary="steps of the longest timed sequence"),
            FIXED_LENGTH,
        ),
        presets={
            "small": {"vocabulary": 2000, "width": 64, "hidden": 64, "tags": 17, "length": 24},
            "medium": {"vocabulary": 10000, "width": 100, "hidden": 200, "tags": 17, "length": 32},
        },
    ),
    Workload(
        name="tree_lstm",
        summary="a Tree-LSTM over binary trees of different shapes",
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
        summary="a recurrent block that repeats until its scores add up to 1",
        parameters=(
            *RNN_SIZES,
            Parameter(name="maximum", default=24, minimum=8, summary="maximum steps; inputs need a quarter or more"),
        ),
        presets={
            "small": {"hidden": 128, "input": 128, "maximum": 24},
            "medium": {"hidden": 512, "input": 512, "maximum": 48},
        },
    ),
    Workload(
        name="decode",
        summary="a decoder that generates token by token, with a growing cache of keys and values",
        parameters=(
            Parameter(name="vocabulary", default=50, minimum=3, summary="number of distinct tokens"),
            Parameter(name="width", default=16, minimum=1, summary="width of embedding, keys and values"),
            Parameter(name="prompt", default=6, minimum=2, summary="tokens of the timed prompts"),
            Parameter(name="steps", default=8, minimum=2, summary="tokens to generate"),
            FIXED_LENGTH,
        ),
        presets={
            "small": {"vocabulary": 1000, "width": 64, "prompt": 16, "steps": 32},
            "medium": {"vocabulary": 10000, "width": 256, "prompt": 32, "steps": 64},
        },
    ),
    Workload(
        name="decode_steps",
        summary="the decoder of decode, called once for each token by a loop outside of the model",
        loop="steps",
        parameters=(
            Parameter(name="vocabulary", default=50, minimum=3, summary="number of distinct tokens"),
            Parameter(name="width", default=16, minimum=1, summary="width of embedding, keys and values"),
            *GENERATION,
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
        presets={
            "mnist": {"input": 784, "width": 512, "depth": 3, "output": 10},
            "large": {"input": 4096, "width": 4096, "depth": 4, "output": 1000},
        },
    ),
    *OPERATIONS,
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
        summary="a residual network of basic blocks with batch normalisation; two blocks a stage make ResNet-18",
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
        name="autoencoder",
        summary="an autoencoder whose decoder reuses the encoder's weights",
        parameters=(
            Parameter(name="input", default=64, minimum=1, summary="width of the input and of the output"),
            Parameter(name="hidden", default=32, minimum=1, summary="width of the hidden layers"),
            Parameter(name="code", default=8, minimum=1, summary="width of the code"),
        ),
        presets={
            "mnist": {"input": 784, "hidden": 256, "code": 32},
            "large": {"input": 4096, "hidden": 1024, "code": 128},
        },
    ),
    Workload(
        name="embedding_bag",
        summary="a recommender: bags of table rows, their pairwise products with dense features, and a network",
        parameters=(
            Parameter(name="tables", default=3, minimum=1, summary="tables, and bags in one example"),
            Parameter(name="entries", default=200, minimum=1, summary="rows of each table"),
            Parameter(name="bag", default=4, minimum=1, summary="rows in one bag"),
            Parameter(name="width", default=8, minimum=1, summary="length of a row"),
            Parameter(name="dense", default=13, minimum=1, summary="dense features of one example"),
            Parameter(name="hidden", default=32, minimum=1, summary="width of the hidden layer"),
        ),
        presets={
            "small": {"tables": 8, "entries": 10_000, "bag": 10, "width": 16, "dense": 13, "hidden": 128},
            "large": {"tables": 26, "entries": 100_000, "bag": 20, "width": 64, "dense": 13, "hidden": 512},
        },
    ),
    Workload(
        name="transformer_encoder",
        summary="a transformer encoder that classifies sequences",
        parameters=(
            Parameter(name="layers", default=2, minimum=1, summary="blocks of attention and two linear layers"),
            Parameter(name="heads", default=2, minimum=1, summary="attention heads"),
            Parameter(name="head_width", default=8, minimum=4, summary="width of one head: the model's width / heads"),
            Parameter(name="length", default=16, minimum=1, summary="tokens of a sequence"),
            Parameter(name="classes", default=10, minimum=2, summary="classes, and width of the output"),
        ),
        presets={
            "small": {"layers": 4, "heads": 4, "head_width": 32, "length": 64},
            "bert-base": {"layers": 12, "heads": 12, "head_width": 64, "length": 128},
        },
    ),
    Workload(
        name="gpt",
        summary="a generative transformer that predicts each next token from those before it",
        parameters=(
            Parameter(name="layers", default=2, minimum=1, summary="blocks of attention and two linear layers"),
            Parameter(name="heads", default=2, minimum=1, summary="attention heads"),
            Parameter(name="head_width", default=8, minimum=4, summary="width of one head: the model's width / heads"),
            Parameter(name="length", default=16, minimum=2, summary="tokens to predict"),
            Parameter(name="vocabulary", default=64, minimum=2, summary="number of distinct tokens"),
        ),
        presets={
            "tiny": {"layers": 2, "heads": 2, "head_width": 32, "length": 64, "vocabulary": 256},
            "small": {"layers": 6, "heads": 6, "head_width": 64, "length": 256, "vocabulary": 8192},
            "gpt2-small": {"layers": 12, "heads": 12, "head_width": 64, "length": 1024, "vocabulary": 50257},
        },
    ),
    Workload(
        name="gpt_steps",
        summary="the transformer of gpt, called once for each token, with a cache of keys and values",
        loop="steps",
        parameters=(
            Parameter(name="layers", default=2, minimum=1, summary="blocks of attention and two linear layers"),
            Parameter(name="heads", default=2, minimum=1, summary="attention heads"),
            Parameter(name="head_width", default=8, minimum=4, summary="width of one head: the model's width / heads"),
            Parameter(name="vocabulary", default=64, minimum=3, summary="number of distinct tokens"),
            *GENERATION,
        ),
        presets={
            "tiny": {"layers": 2, "heads": 2, "head_width": 32, "vocabulary": 256, "prompt": 32, "steps": 32},
            "small": {"layers": 6, "heads": 6, "head_width": 64, "vocabulary": 8192, "prompt": 128, "steps": 64},
        },
    ),
    Workload(
        name="lstm_lm",
        summary="a language model: token embeddings, one LSTM, and scores for each next token",
        parameters=(
            Parameter(name="vocabulary", default=100, minimum=2, summary="number of distinct tokens"),
            Parameter(name="width", default=16, minimum=1, summary="width of the embedding"),
            Parameter(name="hidden", default=16, minimum=1, summary="width of the hidden state"),
            Parameter(name="length", default=12, minimum=2, summary="tokens to predict"),
        ),
        presets={
            "small": {"vocabulary": 2000, "width": 64, "hidden": 64, "length": 24},
            "medium": {"vocabulary": 10000, "width": 200, "hidden": 200, "length": 35},
        },
    ),
    Workload(
        name="attention",
        summary="one layer of multi-head self-attention",
        parameters=(
            Parameter(name="heads", default=2, minimum=1, summary="attention heads"),
            Parameter(name="head_width", default=8, minimum=1, summary="width of one head: the model's width / heads"),
            Parameter(name="length", default=16, minimum=2, summary="tokens of a sequence"),
        ),
        presets={"base": {"heads": 12, "head_width": 64, "length": 512}},
    ),
    Workload(
        name="synthetic",
        summary="for tests: a product that takes a known time and holds known memory",
        parameters=(
            Parameter(name="spin_ns", default=100_000, minimum=0, summary="nanoseconds of a call"),
            Parameter(name="compile_ns", default=20_000_000, minimum=0, summary="nanoseconds of compiling"),
            Parameter(name="compiled_ns", default=50_000, minimum=0, summary="nanoseconds of a compiled call"),
            Parameter(name="hold_mib", default=0, minimum=0, summary="mebibytes held from the build on"),
        ),
    ),
)

DYNAMIC = ("rnn", "lstm_tagger", "tree_lstm", "early_exit", "decode")
GENERATING = ("decode", "decode_steps", "gpt_steps")
STATIC = ("mlp", "cnn", "resnet", "autoencoder", "embedding_bag", "transformer_encoder", "gpt", "lstm_lm")

SUITES: tuple[Suite, ...] = (
    Suite(
        name="question",
        summary="the default sweep: one recurrent cell with its backward pass",
        frameworks=DEFAULT_MODES,
        workloads=("rnn_cell",),
        tasks=("backward",),
        budget="5m",
    ),
    Suite(
        name="dynamic",
        summary="graphs that depend on the inputs: lengths, trees, early exits, growing state",
        frameworks=(*DEFAULT_MODES, "jax:jit", "numpy:eager"),
        workloads=DYNAMIC,
        tasks=("forward", "backward"),
        budget="30m",
    ),
    Suite(
        name="static",
        summary="graphs that are the same for all inputs: dense, convolutional, attention, recommendation",
        frameworks=(*DEFAULT_MODES, "jax:jit", "numpy:eager"),
        workloads=STATIC,
        tasks=("forward", "backward"),
        budget="60m",
    ),
    Suite(
        name="generation",
        summary="loops that generate tokens: within the model, and call by call with a growing cache",
        frameworks=(*DEFAULT_MODES, "jax:jit", "numpy:eager"),
        workloads=GENERATING,
        tasks=("forward",),
        budget="30m",
    ),
    Suite(
        name="train",
        summary="complete training steps, including the update of every weight",
        frameworks=("torch:eager", "torch:compile", "tensorflow:function", "tensorflow:xla", "jax:jit", "numpy:eager"),
        workloads=("mlp", "cnn", "lstm_lm", "transformer_encoder"),
        tasks=("train-sgd", "train-adam"),
        budget="60m",
    ),
    Suite(
        name="all",
        summary="question, dynamic, static and operations at default sizes, also with jax:jit and numpy:eager",
        frameworks=(*DEFAULT_MODES, "jax:jit", "numpy:eager"),
        workloads=("rnn_cell", *DYNAMIC, *STATIC, *(operation.name for operation in OPERATIONS)),
        tasks=("forward", "backward"),
        budget="120m",
    ),
    Suite(
        name="operations",
        summary="single operations, each sized for a near cache and for memory",
        frameworks=("torch:eager", "torch:script", "tensorflow:eager", "tensorflow:function", "jax:jit", "numpy:eager"),
        workloads=tuple(f"{operation.name}{preset}" for operation in OPERATIONS for preset in ("", ":memory")),
        tasks=("forward", "backward"),
        budget="30m",
    ),
)
