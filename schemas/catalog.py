"""The catalog of frameworks, their modes, and tasks, as data."""

import platform
from typing import get_args

from pydantic import Field, NonNegativeFloat

from schemas.base import Model
from schemas.environment import CURRENT
from schemas.job import TRAINING_TASKS, Cache, Device, Dtype, Task

TASKS: tuple[Task, ...] = get_args(Task)
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
NUMPY_DTYPES: tuple[Dtype, ...] = ("float32", "float64")
NAME = r"^[a-z][a-z0-9_-]*$"


class Mode(Model):
    """One way in which a framework executes. A compiled mode names the mode that it has to beat, its `sibling`.

    `module` is imported by a worker instead of the framework's. `cached`: the framework caches what the mode compiles.
    """

    name: str = Field(pattern=NAME)
    summary: str
    sibling: str = ""
    deprecated: str = ""
    module: str = ""
    needs: dict[str, str] = {}
    """Requirements by package, besides the framework's own."""
    dtypes: tuple[Dtype, ...] = ()
    """Types in which it computes. Empty: all of the framework's."""
    saves: str = ""
    """Kind of file that it can save its computation to. Empty: none, for the reason in `unsaved`."""
    suffix: str = ""
    holds_code: bool = False
    """Its file holds compiled code alone: a process that loads it builds the model from its source."""
    unsaved: str = "it has no graph that could be saved"
    cached: bool = False
    compile_s: NonNegativeFloat = 0.0
    """Seconds that it needs in addition to the framework's `start_s`, for estimates only."""
    variables: dict[str, str] = {}
    """Variables that take the place of its framework's."""
    file_variables: dict[str, str] = {}
    """The same for a process that saves its file, or loads it."""


class Framework(Model):
    """A library that executes. `title` names it in sentences, and the versions of its `distributions` are recorded.

    `variables` are set before a worker starts; {threads} stands for their number.

    `caches` are further variables, for a cold and for a warm compile cache. {cache} stands for a folder: a cold cache
    is private to its job, a warm one is shared by all jobs of a cell. A worker imports the class `Framework` from
    `module`; empty: from the file of that name in workers/frameworks.
    """

    name: str = Field(pattern=NAME)
    title: str = Field(default_factory=lambda known: str(known.get("name", "")))
    package: str
    distributions: tuple[str, ...] = Field(default_factory=lambda known: (str(known.get("package", "")),))
    requirement: str
    modes: tuple[Mode, ...]
    dtypes: tuple[Dtype, ...] = DTYPES
    devices: tuple[Device, ...] = ("cpu",)
    variables: dict[str, str] = {}
    exporter: str = ""
    """The framework that exports its models as artefacts. Empty: it builds them itself."""
    exported_suffix: str = ".onnx"
    """The suffix of these artefacts."""
    implementation: str = ""
    """The file of a workload that it runs. Empty: the one named after it, or after its exporter."""
    also_needs: dict[str, str] = {}
    """Requirements by package, for the environment that exports its models."""
    export_environment: str = Field(
        default_factory=lambda known: f"{known['exporter']}-export" if known.get("exporter") else ""
    )
    """That environment. Those who name the same one share it, with the requirements of all."""
    beside: tuple[str, ...] = ()
    """Further requirements of its environment, for features whose dependencies it does not declare."""
    environment: str = CURRENT
    """The default environment of its cells."""
    cuda: str = ""
    """The requirement on a machine with an NVIDIA GPU, where it differs."""
    cannot: dict[Task, str] = {}
    """Tasks that it does not support, each with the reason."""
    caches: dict[Cache, dict[str, str]] = {}
    module: str = ""
    start_s: float
    """Approximate seconds from spawn to first call on a 2-core machine with a warm disk, for estimates only."""

    @property
    def reported_distributions(self) -> tuple[str, ...]:
        """Return the distributions whose versions its jobs report: its own, its exporter's, and every worker's."""
        return tuple(dict.fromkeys((*self.distributions, *self.also_needs, *WORKER_REQUIREMENTS)))


TORCHSCRIPT = "PyTorch 2.11 deprecated TorchScript for torch.compile and torch.export"

# A framework may use any of these thread pools, and each is as large as the machine unless it is limited. OpenBLAS is
# NumPy's, which starts its threads when it is imported: a template with threads could not fork.
BLAS = "OPENBLAS_NUM_THREADS"
THREAD_VARIABLES = {"OMP_NUM_THREADS": "{threads}", "MKL_NUM_THREADS": "{threads}", BLAS: "1"}

# PyTorch's own products come from OpenBLAS on other processors.
TORCH_BLAS = {} if platform.machine() in ("x86_64", "AMD64") else {BLAS: "{threads}"}
FORWARD_ONLY: dict[Task, str] = dict.fromkeys(
    ("backward", *TRAINING_TASKS), "it runs an exported graph, which contains only the forward pass"
)

# The type promotion of Keras turns float64 into float32 on every backend but TensorFlow.
DEMOTED_DTYPES: tuple[Dtype, ...] = ("float32", "bfloat16")
NUMBA_TRAINING: dict[Task, str] = dict.fromkeys(
    TRAINING_TASKS, "Numba has no optimisers, and none are written for it here; choose --tasks forward,backward"
)
TINYGRAD_TRAINING: dict[Task, str] = dict.fromkeys(
    TRAINING_TASKS, "steps by optimisers of tinygrad are not built in yet; choose --tasks forward,backward"
)

# Requirements of every worker, by package.
WORKER_REQUIREMENTS = {"numpy": "numpy", "pydantic": "pydantic>=2.10", "autograd": "autograd>=1.9"}
# Requirements of every environment for CUDA: the worker reads the GPU's counters by it.
CUDA_REQUIREMENTS = ("nvidia-ml-py>=12.560",)
TORCH_TO_ONNX = {"torch": "torch==2.13.0", "onnx": "onnx==1.23.2", "onnxscript": "onnxscript==0.7.2"}

# FORCE_DISABLE_CACHES alone does not suffice: the CUDA driver caches kernels too.
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

# What a process needs that saves Inductor's caches or loads them. A cold cache is still private to its job.
INDUCTOR_CACHES_ON = {"TORCHINDUCTOR_FORCE_DISABLE_CACHES": "0"}


def make_inductor_mode(name: str, summary: str) -> Mode:
    """Return a mode of PyTorch that compiles in its first call, and whose caches can be saved."""
    return Mode(
        name=name,
        summary=summary,
        saves="Inductor caches",
        suffix=".bin",
        holds_code=True,
        file_variables=INDUCTOR_CACHES_ON,
        sibling="eager",
        cached=True,
        compile_s=30,
    )


FRAMEWORKS: tuple[Framework, ...] = (
    Framework(
        name="torch",
        title="PyTorch",
        package="torch",
        requirement="torch==2.13.0",
        devices=("cpu", "cuda"),
        environment="torch",
        start_s=2.5,
        variables=THREAD_VARIABLES | TORCH_BLAS | {"TORCHINDUCTOR_COMPILE_THREADS": "1"},
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
                summary="torch.jit.trace: replays the operations of one example run",
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
            make_inductor_mode(
                "compile", "torch.compile: compiled by Inductor in the first call, and again for each new shape"
            ),
            make_inductor_mode(
                "compile-dynamic",
                "torch.compile with dynamic=True: compiled for dynamic shapes, where the model allows it",
            ),
            make_inductor_mode(
                "compile-max-autotune",
                "torch.compile with mode=max-autotune: keeps the fastest of several kernels for each product",
            ),
            Mode(
                name="compile-reduce-overhead",
                summary="torch.compile with mode=reduce-overhead: replays CUDA graphs; not on a CPU",
                unsaved="it replays CUDA graphs, which no file holds",
                sibling="eager",
            ),
            make_inductor_mode(
                "compile-regional",
                "torch.compile of each block of a repeated kind, so that equal blocks share one compiled graph",
            ),
            Mode(
                name="aot-compile",
                summary="torch.compile with fullgraph=True and aot_compile: compiled ahead of the first call",
                saves="compiled function",
                suffix=".bin",
                holds_code=True,
                variables=INDUCTOR_CACHES_ON,
                sibling="eager",
                cached=True,
                compile_s=30,
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
            Mode(
                name="int8-dynamic",
                summary="torch.ao.quantization.quantize_dynamic: linear and recurrent layers in 8 bits; forward only",
                sibling="eager",
                dtypes=("float32",),
                deprecated="PyTorch deprecated torch.ao.quantization for the package torchao",
                unsaved="quantised weights are made anew in each process",
            ),
        ),
    ),
    Framework(
        name="tensorflow",
        title="TensorFlow",
        package="tensorflow",
        distributions=("tensorflow", "tensorflow-cpu", "keras"),
        requirement="tensorflow-cpu==2.21.0",
        devices=("cpu", "cuda"),
        cuda="tensorflow[and-cuda]==2.21.0",
        environment="tensorflow",
        start_s=4.5,
        variables=THREAD_VARIABLES | {"TF_NUM_INTRAOP_THREADS": "{threads}", "TF_NUM_INTEROP_THREADS": "1"},
        modes=(
            Mode(
                name="eager",
                summary="TensorFlow 2 as written, operation by operation",
                unsaved="it has no graph; tensorflow:function saves one",
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
                summary="tf.function with jit_compile=True: the static graph, compiled by XLA for each new shape",
                saves="SavedModel",
                suffix=".tar",
                sibling="eager",
            ),
            Mode(
                name="session",
                summary="a graph run by a TensorFlow 1 session; each call copies arrays in and out",
                saves="SavedModel",
                suffix=".tar",
                sibling="eager",
                module="workers.frameworks.tensorflow_session",
            ),
        ),
    ),
    Framework(
        name="jax",
        title="JAX",
        package="jax",
        distributions=("jax", "jaxlib"),
        requirement="jax==0.10.2",
        devices=("cpu", "cuda"),
        cuda="jax[cuda12]==0.10.2",
        beside=("flatbuffers>=24.3",),  # jax.export writes with it, and does not require it
        environment="jax",
        start_s=2.0,
        variables=THREAD_VARIABLES
        | {"PJRT_NPROC": "{threads}", "JAX_ENABLE_COMPILATION_CACHE": "0", "XLA_PYTHON_CLIENT_PREALLOCATE": "0"},
        modes=(
            Mode(
                name="eager",
                summary="JAX as written, operation by operation",
                unsaved="it has no program; jax:jit saves one",
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
        name="keras",
        title="Keras",
        package="keras",
        distributions=("torch", "tensorflow", "tensorflow-cpu", "keras", "jax", "jaxlib"),
        requirement="keras==3.15.1",
        environment="keras",
        start_s=6.0,
        variables=THREAD_VARIABLES
        | TORCH_BLAS
        | {
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
            "TF_NUM_INTRAOP_THREADS": "{threads}",
            "TF_NUM_INTEROP_THREADS": "1",
            "PJRT_NPROC": "{threads}",
            "JAX_ENABLE_COMPILATION_CACHE": "0",
        },
        caches=INDUCTOR_CACHES,
        dtypes=("float32", "float64", "bfloat16"),
        modes=(
            Mode(
                name="torch",
                summary="Keras layers on PyTorch, operation by operation",
                module="workers.frameworks.keras_torch",
                dtypes=DEMOTED_DTYPES,
                needs={"torch": "torch==2.13.0"},
            ),
            Mode(
                name="torch-compile",
                summary="Keras layers on PyTorch, by torch.compile, as jit_compile=True has them",
                module="workers.frameworks.keras_torch",
                dtypes=DEMOTED_DTYPES,
                needs={"torch": "torch==2.13.0"},
                sibling="torch",
                unsaved="saving it is not supported here yet",
                cached=True,
                compile_s=30,
            ),
            Mode(
                name="tensorflow",
                summary="Keras layers on TensorFlow, operation by operation, as run_eagerly=True has them",
                module="workers.frameworks.keras_tensorflow",
                needs={"tensorflow": "tensorflow-cpu==2.21.0"},
            ),
            Mode(
                name="tensorflow-function",
                summary="Keras layers on TensorFlow in a tf.function, as jit_compile=False has them",
                module="workers.frameworks.keras_tensorflow",
                needs={"tensorflow": "tensorflow-cpu==2.21.0"},
                sibling="tensorflow",
                unsaved="saving it is not supported here yet",
            ),
            Mode(
                name="tensorflow-xla",
                summary="Keras layers on TensorFlow, the graph compiled by XLA, as jit_compile=True has them",
                module="workers.frameworks.keras_tensorflow",
                needs={"tensorflow": "tensorflow-cpu==2.21.0"},
                sibling="tensorflow",
                unsaved="saving it is not supported here yet",
            ),
            Mode(
                name="jax",
                summary="Keras layers on JAX, operation by operation, as run_eagerly=True has them",
                module="workers.frameworks.keras_jax",
                dtypes=DEMOTED_DTYPES,
                needs={"jax": "jax==0.10.2"},
            ),
            Mode(
                name="jax-jit",
                summary="Keras layers on JAX, by jax.jit, as jit_compile=True has them",
                module="workers.frameworks.keras_jax",
                dtypes=DEMOTED_DTYPES,
                needs={"jax": "jax==0.10.2"},
                sibling="jax",
                unsaved="saving it is not supported here yet",
            ),
        ),
    ),
    Framework(
        name="onnxruntime",
        title="ONNX Runtime",
        package="onnxruntime",
        distributions=("onnxruntime", "onnxruntime-gpu"),
        requirement="onnxruntime==1.32.0",
        environment="onnxruntime",
        start_s=0.6,
        variables=THREAD_VARIABLES,
        dtypes=("float32", "float64", "float16"),
        exporter="torch",
        also_needs=TORCH_TO_ONNX,
        cannot=FORWARD_ONLY,
        modes=(
            Mode(
                name="session",
                summary="an InferenceSession of the model that torch.onnx.export wrote",
                saves="ONNX file",
                suffix=".onnx",
            ),
            Mode(
                name="int8-dynamic",
                summary="the session in 8 bits by quantize_dynamic: each call finds the ranges of its values",
                sibling="session",
                dtypes=("float32",),
                unsaved="its file is quantised anew in each process",
            ),
            Mode(
                name="int8-static",
                summary="the session in 8 bits by quantize_static: ranges are calibrated on the drawn inputs",
                sibling="session",
                dtypes=("float32",),
                unsaved="its file is quantised anew in each process",
            ),
        ),
    ),
    Framework(
        name="openvino",
        title="OpenVINO",
        package="openvino",
        requirement="openvino==2026.4.1",
        environment="openvino",
        start_s=0.9,
        variables=THREAD_VARIABLES,
        dtypes=("float32", "float16"),
        exporter="torch",
        also_needs=TORCH_TO_ONNX,
        cannot=FORWARD_ONLY,
        modes=(
            Mode(
                name="compiled",
                summary="a CompiledModel of the model that torch.onnx.export wrote",
                saves="OpenVINO IR",
                suffix=".tar",
            ),
            Mode(
                name="int8",
                summary="the compiled model in 8 bits by nncf.quantize: ranges are calibrated on the drawn inputs",
                sibling="compiled",
                needs={"nncf": "nncf==3.4.0"},
                dtypes=("float32",),
                unsaved="its graph is quantised anew in each process",
            ),
        ),
    ),
    Framework(
        name="litert",
        title="LiteRT",
        package="ai_edge_litert",
        distributions=("ai-edge-litert",),
        requirement="ai-edge-litert==2.3.0",
        environment="litert",
        start_s=0.6,
        variables=THREAD_VARIABLES,
        dtypes=("float32",),
        exporter="tensorflow",
        exported_suffix=".tflite",
        also_needs={"tensorflow": "tensorflow-cpu==2.21.0"},
        cannot=FORWARD_ONLY,
        modes=(
            Mode(
                name="interpreter",
                summary="an Interpreter of the model that TensorFlow's converter wrote",
                saves="LiteRT file",
                suffix=".tflite",
            ),
        ),
    ),
    Framework(
        name="executorch",
        title="ExecuTorch",
        package="executorch",
        distributions=("executorch",),
        requirement="executorch==1.5.1",
        beside=("torch==2.13.0",),  # its runtime takes PyTorch's tensors, and its wheel does not require PyTorch
        environment="executorch",
        start_s=15.0,
        variables=THREAD_VARIABLES | TORCH_BLAS,
        dtypes=("float32",),
        exporter="torch",
        exported_suffix=".pte",
        also_needs={"torch": "torch==2.13.0", "executorch": "executorch==1.5.1"},
        export_environment="executorch",
        cannot=FORWARD_ONLY,
        modes=(
            Mode(
                name="xnnpack",
                summary="a Method of the model that torch.export captured and XNNPACK's partitioner lowered",
                saves="ExecuTorch program",
                suffix=".pte",
            ),
        ),
    ),
    Framework(
        name="iree",
        title="IREE",
        package="iree",
        distributions=("iree-base-runtime", "iree-base-compiler"),
        requirement="iree-base-runtime==3.13.0",
        environment="iree",
        start_s=1.0,
        variables=THREAD_VARIABLES,
        dtypes=("float32",),
        exporter="jax",
        exported_suffix=".vmfb",
        also_needs={"jax": "jax==0.10.2", "iree": "iree-base-compiler==3.13.0"},
        export_environment="iree-export",
        cannot=FORWARD_ONLY,
        modes=(
            Mode(
                name="compiled",
                summary="a module that IREE's compiler made of the StableHLO that jax.export wrote",
                saves="IREE module",
                suffix=".vmfb",
            ),
        ),
    ),
    Framework(
        name="tract",
        package="tract",
        requirement="tract==0.23.9",
        environment="tract",
        start_s=0.6,
        variables=THREAD_VARIABLES,
        dtypes=("float32",),
        exporter="torch",
        also_needs=TORCH_TO_ONNX,
        cannot=FORWARD_ONLY,
        modes=(
            Mode(
                name="plan",
                summary="a runnable plan of the model that torch.onnx.export wrote",
                saves="ONNX file",
                suffix=".onnx",
            ),
        ),
    ),
    Framework(
        name="numpy",
        title="NumPy",
        package="numpy",
        requirement="numpy",
        implementation="reference",
        start_s=0.3,
        variables=THREAD_VARIABLES | {BLAS: "{threads}"},
        dtypes=(*NUMPY_DTYPES, "float16"),
        modes=(
            Mode(
                name="eager",
                summary="the reference itself: plain NumPy with hand-written gradients",
                unsaved="its computation is Python source; only its weights could be saved",
            ),
        ),
    ),
    Framework(
        name="numba",
        title="Numba",
        package="numba",
        distributions=("numba", "llvmlite"),
        requirement="numba==0.68.1",
        beside=("scipy>=1.14",),  # matrix products in compiled functions are those of SciPy, which it does not require
        environment="numba",
        start_s=4.0,
        variables=THREAD_VARIABLES | {BLAS: "{threads}", "NUMBA_NUM_THREADS": "{threads}"},
        dtypes=NUMPY_DTYPES,
        cannot=NUMBA_TRAINING,
        modes=(
            Mode(
                name="njit",
                summary="numba.njit: loops over NumPy arrays, compiled by LLVM before the first call",
                unsaved="compiled code stays in the process",
                compile_s=2,
            ),
            Mode(
                name="njit-fastmath",
                summary="numba.njit with fastmath=True: sums may be taken in any order",
                sibling="njit",
                unsaved="compiled code stays in the process",
                compile_s=2,
            ),
            Mode(
                name="njit-parallel",
                summary="numba.njit with parallel=True: loops over examples are shared by threads",
                sibling="njit",
                unsaved="compiled code stays in the process",
                compile_s=5,
            ),
        ),
    ),
    Framework(
        name="tinygrad",
        package="tinygrad",
        requirement="tinygrad==0.14.0",
        environment="tinygrad",
        start_s=2.0,
        variables=THREAD_VARIABLES | {"NUM_CPU_THREADS": "{threads}", "PARALLEL": "0"},
        caches={
            "cold": {"CACHEDB": "{cache}/tinygrad/kernels.db", "CACHELEVEL": "0"},
            "warm": {"CACHEDB": "{cache}/tinygrad/kernels.db", "CACHELEVEL": "2"},
        },
        dtypes=NUMPY_DTYPES,
        cannot=TINYGRAD_TRAINING,
        modes=(
            Mode(
                name="lazy",
                summary="tinygrad as written: each call schedules and fuses its operations, and runs compiled kernels",
                unsaved="compiled kernels stay in tinygrad's cache",
                cached=True,
                compile_s=2,
            ),
            Mode(
                name="jit",
                summary="tinygrad's TinyJit: replays the kernels that the second call has run; for one shape",
                sibling="lazy",
                unsaved="compiled kernels stay in tinygrad's cache",
                cached=True,
                compile_s=2,
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
            Mode(name="spin", summary="a test mode: computes the reference, then spins until a known time has passed"),
            Mode(name="compiled", summary="a test mode: compiling and each call spin for a known time", sibling="spin"),
            Mode(name="wrong", summary="a test mode: one output is off by a thousandth"),
            Mode(name="garbage", summary="a test mode: outputs are not finite"),
            Mode(name="hang", summary="a test mode: the first call does not return"),
            Mode(name="stuck", summary="a test mode: the first call neither returns nor releases the interpreter lock"),
            Mode(name="greedy", summary="a test mode: every call briefly takes 2 GiB of memory"),
            Mode(name="flood", summary="a test mode: the first call prints 100 MB"),
            Mode(name="crash", summary="a test mode: the first call ends the process by a signal"),
            Mode(name="raise", summary="a test mode: the first call raises"),
            Mode(name="chatter", summary="a test mode: every call writes to file descriptors 1 and 2"),
            Mode(name="constant", summary="a test mode: every call returns the first call's result"),
            Mode(name="remembered", summary="a test mode: caches the result of each set of inputs"),
            Mode(name="leaking", summary="a test mode: keeps 1 KiB of memory in each call"),
            Mode(name="waiting", summary="a test mode: sleeps for spin_ns, and leaves its core to others"),
            Mode(name="crowded", summary="a test mode: is wrong if several threads call it at once"),
            Mode(name="exclusive", summary="a test mode: raises if several threads call it at once"),
            Mode(name="deferred", summary="a test mode: computes a result only when it is read"),
            Mode(name="unused", summary="a test mode: drops all results but the first"),
            Mode(name="recompiling", summary="a test mode: every call counts as a compilation"),
        ),
    ),
)

DEFAULT_MODES = ("torch:eager", "torch:trace", "torch:script", "tensorflow:function", "tensorflow:eager")
