"""What exists: frameworks and their modes, and tasks. Data, one line each."""

from typing import get_args

from pydantic import Field, NonNegativeFloat

from schemas.base import Model
from schemas.environment import CURRENT
from schemas.job import TRAINING, Cache, Device, Dtype, Task

TASKS: tuple[Task, ...] = get_args(Task)
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
NUMPY_DTYPES: tuple[Dtype, ...] = ("float32", "float64")
NAME = r"^[a-z][a-z0-9_-]*$"


class Mode(Model):
    """One way a framework executes. A compiled mode names the mode that it has to beat.

    `module` is what a worker imports for it, where that is not the framework's own. A mode is `cached` if what it
    compiles goes into the framework's caches.
    """

    name: str = Field(pattern=NAME)
    summary: str
    sibling: str = ""
    deprecated: str = ""
    module: str = ""
    saves: str = ""
    """What kind of file it can write its computation to; empty: none, and `unsaved` says why."""
    suffix: str = ""
    unsaved: str = "it has no graph that could be saved"
    cached: bool = False
    compile_s: NonNegativeFloat = 0.0
    """Seconds that it takes longer than the framework's `start_s`: for estimates only."""


class Framework(Model):
    """A library that executes. `variables` are set before a worker starts; {threads} stands for their number.

    `caches` are variables as well, those of a cold and of a warm compile cache; {cache} stands for a folder that is the
    job's own when it is cold, and common to all jobs of a cell when it is warm. `module` is what a worker imports, and
    has the class `Framework`; empty: the file of that name under workers/frameworks.
    """

    name: str = Field(pattern=NAME)
    package: str
    requirement: str
    modes: tuple[Mode, ...]
    dtypes: tuple[Dtype, ...] = DTYPES
    devices: tuple[Device, ...] = ("cpu",)
    variables: dict[str, str] = {}
    exporter: str = ""
    """The framework that writes its models down, each as an artefact; empty: it builds them itself."""
    implementation: str = ""
    """The file of a workload that it runs; empty: the one named as it is, or as its exporter."""
    also_needs: dict[str, str] = {}
    """What has to be installed where its models are exported: a requirement for each package."""
    beside: tuple[str, ...] = ()
    """What is installed beside it in its environment: some of what it does asks for more."""
    environment: str = CURRENT
    """The environment that its cells run in where no other is asked for."""
    cuda: str = ""
    """The requirement on a machine with an NVIDIA GPU, where that is another one."""
    cannot: dict[Task, str] = {}
    """Tasks that it does not do, each with the reason."""
    caches: dict[Cache, dict[str, str]] = {}
    module: str = ""
    start_s: float
    """Seconds from spawn to the first call, roughly, on a 2-core machine with a warm disk: for estimates only."""


TORCHSCRIPT = "TorchScript is deprecated upstream since PyTorch 2.11, in favour of torch.compile and torch.export"
ONE_POOL = {"OMP_NUM_THREADS": "{threads}", "MKL_NUM_THREADS": "{threads}", "OPENBLAS_NUM_THREADS": "{threads}"}
FORWARD_ALONE: dict[Task, str] = dict.fromkeys(
    ("backward", *TRAINING), "it runs an exported graph, and that holds the forward pass alone"
)
WORKER = {"numpy": "numpy", "pydantic": "pydantic>=2.10", "autograd": "autograd>=1.9"}
"""What a worker needs whatever its framework: a requirement for each package."""
TORCH_TO_ONNX = {"torch": "torch==2.13.0", "onnx": "onnx==1.23.2", "onnxscript": "onnxscript==0.7.2"}

INDUCTOR_CACHES: dict[Cache, dict[str, str]] = {
    "cold": {
        "TORCHINDUCTOR_CACHE_DIR": "{cache}/inductor",
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
        "CUDA_CACHE_DISABLE": "1",
    },
    "warm": {
        "TORCHINDUCTOR_CACHE_DIR": "{cache}/inductor",
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "0",
        "CUDA_CACHE_DISABLE": "0",
    },
}

FRAMEWORKS: tuple[Framework, ...] = (
    Framework(
        name="torch",
        package="torch",
        requirement="torch==2.13.0",
        devices=("cpu", "cuda"),
        environment="torch",
        start_s=2.5,
        variables=ONE_POOL | {"TORCHINDUCTOR_COMPILE_THREADS": "1"},
        caches=INDUCTOR_CACHES,
        modes=(
            Mode(
                name="eager",
                summary="PyTorch as written, operation by operation",
                saves="exported program",
                suffix=".pt2",
            ),
            Mode(
                name="trace",
                summary="torch.jit.trace: the operations of one example run, replayed",
                saves="TorchScript file",
                suffix=".pt",
                sibling="eager",
                deprecated=TORCHSCRIPT,
            ),
            Mode(
                name="script",
                summary="torch.jit.script: compiled from the Python source",
                saves="TorchScript file",
                suffix=".pt",
                sibling="eager",
                deprecated=TORCHSCRIPT,
            ),
            Mode(
                name="script-freeze",
                summary="torch.jit.freeze: scripted, with the weights as constants; forward only",
                saves="TorchScript file",
                suffix=".pt",
                sibling="eager",
                deprecated=TORCHSCRIPT,
            ),
            Mode(
                name="script-optimized",
                summary="torch.jit.optimize_for_inference: frozen, then rewritten for this CPU; forward only",
                saves="TorchScript file",
                suffix=".pt",
                sibling="eager",
                deprecated=TORCHSCRIPT,
            ),
            Mode(
                name="compile",
                summary="torch.compile: compiled by Inductor in the first call, anew for each shape",
                unsaved="what Inductor compiled stays in its caches; torch:aot saves a package",
                sibling="eager",
                cached=True,
                compile_s=30,
            ),
            Mode(
                name="compile-dynamic",
                summary="torch.compile with dynamic=True: compiled for open shapes, where the model allows it",
                unsaved="what Inductor compiled stays in its caches; torch:aot saves a package",
                sibling="eager",
                cached=True,
                compile_s=30,
            ),
            Mode(
                name="compile-max-autotune",
                summary="torch.compile with mode=max-autotune: candidates for products are timed, the fastest is kept",
                unsaved="what Inductor compiled stays in its caches; torch:aot saves a package",
                sibling="eager",
                cached=True,
                compile_s=30,
            ),
            Mode(
                name="compile-reduce-overhead",
                summary="torch.compile with mode=reduce-overhead: calls replay CUDA graphs; not on a CPU",
                sibling="eager",
            ),
            Mode(
                name="aot",
                summary="torch.export and AOTInductor: a library compiled ahead of the first call; forward only",
                saves="AOTInductor package",
                suffix=".pt2",
                sibling="eager",
                cached=True,
                compile_s=30,
            ),
        ),
    ),
    Framework(
        name="tensorflow",
        package="tensorflow",
        requirement="tensorflow-cpu==2.21.0",
        devices=("cpu", "cuda"),
        cuda="tensorflow[and-cuda]==2.21.0",
        environment="tensorflow",
        start_s=4.5,
        variables=ONE_POOL | {"TF_NUM_INTRAOP_THREADS": "{threads}", "TF_NUM_INTEROP_THREADS": "1"},
        modes=(
            Mode(
                name="eager",
                summary="TensorFlow 2 as written, operation by operation",
                unsaved="it has no graph to save; tensorflow:function has",
            ),
            Mode(
                name="function",
                summary="tf.function: a static graph traced from the Python source",
                sibling="eager",
                saves="SavedModel",
                suffix=".tar",
            ),
            Mode(
                name="xla",
                summary="tf.function with jit_compile=True: the static graph, compiled by XLA for each shape",
                saves="SavedModel",
                suffix=".tar",
                sibling="eager",
            ),
            Mode(
                name="session",
                summary="TensorFlow 1's way: a graph run by a session; arrays are copied in and out at each call",
                saves="SavedModel",
                suffix=".tar",
                sibling="eager",
                module="workers.frameworks.tensorflow_session",
            ),
        ),
    ),
    Framework(
        name="jax",
        package="jax",
        requirement="jax==0.10.2",
        devices=("cpu", "cuda"),
        cuda="jax[cuda12]==0.10.2",
        beside=("flatbuffers>=24.3",),  # jax.export writes with it, and does not require it
        environment="jax",
        start_s=2.0,
        variables=ONE_POOL
        | {"PJRT_NPROC": "{threads}", "JAX_ENABLE_COMPILATION_CACHE": "0", "XLA_PYTHON_CLIENT_PREALLOCATE": "0"},
        modes=(
            Mode(
                name="eager",
                summary="JAX as written, operation by operation",
                unsaved="it has no program to save; jax:jit has",
            ),
            Mode(
                name="jit",
                summary="jax.jit: traced, and compiled by XLA",
                sibling="eager",
                saves="StableHLO with weights",
                suffix=".zip",
            ),
        ),
    ),
    Framework(
        name="onnxruntime",
        package="onnxruntime",
        requirement="onnxruntime==1.32.0",
        environment="onnxruntime",
        start_s=0.6,
        variables=ONE_POOL,
        dtypes=("float32", "float64"),
        exporter="torch",
        also_needs=TORCH_TO_ONNX,
        cannot=FORWARD_ALONE,
        modes=(
            Mode(
                name="session",
                summary="an InferenceSession on what torch.onnx.export wrote",
                saves="ONNX file",
                suffix=".onnx",
            ),
        ),
    ),
    Framework(
        name="openvino",
        package="openvino",
        requirement="openvino==2026.4.1",
        environment="openvino",
        start_s=0.9,
        variables=ONE_POOL,
        dtypes=("float32",),
        exporter="torch",
        also_needs=TORCH_TO_ONNX,
        cannot=FORWARD_ALONE,
        modes=(
            Mode(
                name="compiled",
                summary="a CompiledModel of what torch.onnx.export wrote",
                saves="OpenVINO IR",
                suffix=".tar",
            ),
        ),
    ),
    Framework(
        name="numpy",
        package="numpy",
        requirement="numpy",
        implementation="reference",
        start_s=0.3,
        variables=ONE_POOL,
        dtypes=NUMPY_DTYPES,
        modes=(
            Mode(
                name="eager",
                summary="the reference itself, in plain NumPy with gradients by hand",
                unsaved="its computation is Python's source, and only its weights could be saved",
            ),
        ),
    ),
    Framework(
        name="synthetic",
        package="numpy",
        requirement="numpy",
        implementation="reference",
        start_s=0.3,
        dtypes=NUMPY_DTYPES,
        modes=(
            Mode(name="spin", summary="an instrument: the reference, then spinning until a known time has passed"),
            Mode(
                name="compiled",
                summary="an instrument: spins for a known time to compile, and in each call for another",
                sibling="spin",
            ),
            Mode(name="wrong", summary="an instrument: one output is off by a thousandth"),
            Mode(name="garbage", summary="an instrument: outputs are not finite"),
            Mode(name="hang", summary="an instrument: the first call does not return"),
            Mode(
                name="stuck", summary="an instrument: the first call does not return, nor give up the interpreter lock"
            ),
            Mode(name="greedy", summary="an instrument: every call takes two gibibytes of memory for a moment"),
            Mode(name="flood", summary="an instrument: the first call prints a hundred megabytes"),
            Mode(name="crash", summary="an instrument: the first call ends the process by a signal"),
            Mode(name="raise", summary="an instrument: the first call raises"),
            Mode(name="chatter", summary="an instrument: every call writes to descriptors 1 and 2"),
            Mode(name="constant", summary="an instrument: every call gives the first call's result"),
            Mode(name="remembered", summary="an instrument: each set of inputs is computed only once"),
            Mode(name="deferred", summary="an instrument: nothing is computed until it is looked at"),
            Mode(name="unused", summary="an instrument: all results but the first are left out"),
            Mode(name="recompiling", summary="an instrument: every call counts as a compilation"),
        ),
    ),
)

QUESTION = ("torch:eager", "torch:trace", "torch:script", "tensorflow:function", "tensorflow:eager")
