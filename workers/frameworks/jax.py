"""JAX: operation by operation, or compiled by jax.jit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from schemas.event import Setting
from schemas.job import TRAINING_TASKS, Cell
from workers import contract
from workers.arrays import Array, choose_dtype, is_floating, widen_values
from workers.errors import Malformed
from workers.frameworks import check_output_types, classify_denormals, jax_saved, pair_settings
from workers.frameworks.jax_training import JaxTrainer, Update, choose_update, make_initial_state, make_training_step
from workers.images import arrange_images, choose_arguments, restore_images
from workers.interfaces import (
    Allocated,
    KeepsTypes,
    Parameters,
    Prepared,
    Shape,
    Step,
    Writer,
    select_running,
    select_trained,
)
from workers.outputs import flatten_outputs
from workers.precision import check_precision

BACKENDS = {"cpu": "cpu", "cuda": "gpu"}
THREADS = "threads of XLA's pool"
# XLA's name for the threads of its pool. Counting them is the only way to read back how many there are.
POOL_THREAD_PREFIX = "tf_XLAEigen"


@runtime_checkable
class MakesWeights(Protocol):
    """An implementation that makes the weights of its workload: JAX keeps them apart from models."""

    @staticmethod
    def weights(parameters: Parameters, key: Any) -> dict[str, Any]:
        """Make the weights, by name."""


class Framework:
    """JAX, with the weights as an argument of every function that is differentiated or compiled."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._compiled: Any = None
        self._checks_precision = True
        self.program: Any = None

    def apply_settings(self) -> None:
        """Set everything before the first operation, which starts the runtime with these settings.

        With asynchronous dispatch, calls overlap on spare cores, and a time would cover several calls at once.
        Without it a call has finished when it returns, as in the other frameworks on the CPU.
        """
        jax.config.update("jax_platforms", self._cell.device)
        # Without this, JAX silently computes in float32.
        jax.config.update("jax_enable_x64", self._cell.dtype == "float64")
        if self._cell.track == "parity":
            jax.config.update("jax_default_matmul_precision", "highest")
            jax.config.update("jax_cpu_enable_async_dispatch", False)
        jnp.zeros(4, jnp.float32)  # the first operation starts the runtime

    def read_settings(self) -> Sequence[Setting]:
        wide, on_cpu = self._cell.dtype == "float64", self._cell.device == "cpu"
        asked = {"backend": BACKENDS[self._cell.device], "64-bit types": format_switch(wide)}
        if self._cell.track == "parity":
            asked |= {"float32 matmul precision": "highest", "asynchronous dispatch": "off", "compilation cache": "off"}
            asked |= {THREADS: str(self._cell.threads), "denormals": "flushed"} if on_cpu else {}
        tiny = jnp.full(4, jnp.finfo(jnp.float32).tiny, jnp.float32) * 0.5
        config, threads = jax.config.values, count_pool_threads()
        if not threads:
            asked.pop(THREADS, None)
        got = {
            "backend": jax.default_backend(),
            THREADS: str(threads or "unknown"),
            "float32 matmul precision": str(config["jax_default_matmul_precision"]),
            "64-bit types": format_switch(config["jax_enable_x64"]),
            "asynchronous dispatch": format_switch(config["jax_cpu_enable_async_dispatch"]),
            "compilation cache": format_switch(config["jax_enable_compilation_cache"]),
            "denormals": classify_denormals(float(tiny[0])),
        }
        return pair_settings(asked, got)

    def build_info(self) -> str:
        return jax.devices()[0].client.platform_version

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return self._convert(arrange_images(values, self._cell.tuning))

    def _convert(self, values: Sequence[Array]) -> tuple[Any, ...]:
        # Transfers are asynchronous too, and none may reach into a timed call.
        return tuple(jax.block_until_ready([jnp.array(value, self._choose_dtype(value)) for value in values]))

    def _choose_dtype(self, value: Array) -> Any:
        """Return the cell's dtype for floating-point numbers; None: an integer keeps its type."""
        return choose_dtype(value, jnp.dtype(self._cell.dtype)) if is_floating(value) else None

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        tensors = dict(zip(weights, self._convert(list(weights.values())), strict=True))
        kind = contract.find_model_class(implementation, self._cell.task)
        make = partial(kind, self._cell.parameters, **choose_arguments(kind, self._cell.tuning))
        return FunctionalModel(make, select_trained(tensors), select_running(tensors), tuple(tensors))

    def read_state(self, implementation: Any, seed: int) -> dict[str, Array]:
        if not isinstance(implementation, MakesWeights):
            raise Malformed(
                "jax.py has no function weights(parameters, key); write it, or let reference.py draw the weights",
                contract.find_file(implementation),
            )
        made = implementation.weights(self._cell.parameters, jax.random.key(seed))
        return {name: np.asarray(weight) for name, weight in made.items()}

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        self._checks_precision = not isinstance(model, KeepsTypes)
        compute, first = self._choose_computation(model)
        if self._cell.mode == "eager":
            return Prepared(None, lambda: self._make_step(model, compute))
        # A training step gives its old state away, as a program would: the new one takes its memory.
        self._compiled = jax.jit(compute, donate_argnums=(0,) if self._cell.task in TRAINING_TASKS else ())
        return Prepared("trace", lambda: self._prepare_compilation(model, self._compiled.lower(*first, *example)))

    def _choose_computation(self, model: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return the function that a step calls, and its first arguments, which stand before the inputs."""
        if self._cell.task not in TRAINING_TASKS:
            # FunctionalModel has a method for each other task, of its name.
            return getattr(model, self._cell.task), (model.weights, model.running)
        self._update = self._choose_update(model)
        first = make_initial_state(model.weights, model.running, self._update)
        return make_training_step(model.training_loss, self._update), (first,)

    def _choose_update(self, model: Any) -> Update:
        return choose_update(model, self._cell.task)

    def _prepare_compilation(self, model: Any, lowered: Any) -> Prepared[Step]:
        """Prepare to compile now. The first call of the jitted function, whose trace this is, finds the result."""

        def compile_program() -> Step:
            self.program = lowered.compile()
            return self._make_step(model, self._compiled)

        return Prepared("compile", compile_program)

    def _make_step(self, model: Any, compute: Any) -> Step:
        weights, statistics = model.weights, model.running
        if self._cell.task not in TRAINING_TASKS:
            return lambda *inputs: compute(weights, statistics, *inputs)
        self.trainer = JaxTrainer(compute, weights, statistics, self._update)
        return self.trainer.take_step

    def saving(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Writer]:
        # As in `step`; training is never saved.
        function, trees = jax.jit(getattr(model, self._cell.task)), (model.weights, model.running)

        def trace_program() -> Writer:
            exported = jax_saved.export_program(function, *trees, example, shapes)
            return lambda path: jax_saved.write_program(exported, *trees, path)

        return Prepared("trace", trace_program)

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        def load_program() -> Step:
            self._compiled, weights, statistics = jax_saved.read_program(path)
            return lambda *inputs: self._compiled(weights, statistics, *inputs)

        return Prepared("load", load_program)

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        jax.block_until_ready(outputs)
        if self._cell.task in TRAINING_TASKS:
            self.trainer.wait_for_state()

    def device_memory(self) -> Allocated | None:
        """Read XLA's allocator. Its peak counts from the start of the process and cannot be reset."""
        if self._cell.device == "cpu":
            return None
        stats = jax.devices()[0].memory_stats()
        reserved = stats.get("peak_bytes_reserved") or stats.get("pool_bytes")
        return Allocated(stats["bytes_in_use"], stats["peak_bytes_in_use"], reserved, since_start=True)

    def reset_device_peak(self) -> None:
        """Do nothing: the peak of XLA's allocator cannot be reset."""

    def compilations(self) -> int | None:
        """Count the entries of the jitted function: one for each combination of shapes and types so far."""
        return None if self._compiled is None else int(self._compiled._cache_size())  # noqa: SLF001 (no other count)

    def find_compiled(self, step: Step, example: tuple[Any, ...]) -> str:
        if self._cell.mode != "eager" or self._cell.task in TRAINING_TASKS:  # a step of training changes its state
            return ""
        with suppress(jax.errors.JAXTypeError):  # its control flow depends on values, so it cannot be traced
            names = dict.fromkeys(list_jitted(jax.make_jaxpr(step)(*example).jaxpr))
            return f"jax.jit ({', '.join(names)})" if names else ""
        return ""

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        check_output_types(outputs, jax.Array)
        if self._checks_precision:
            check_precision([output.dtype for output in outputs], self._cell)
        arrays = [widen_values(output) for output in outputs]
        if self._cell.task == "forward":
            return restore_images(arrays, self._cell.tuning)
        # JAX's gradient of a complex number is the conjugate of the direction of ascent.
        return [array.conj() for array in arrays] if self._cell.task == "backward" else arrays


@dataclass(frozen=True, slots=True)
class FunctionalModel:
    """A model as functions of its weights, which are arguments of all that is differentiated or compiled."""

    make: Callable[[dict[str, Any]], Any]
    weights: dict[str, Any]
    running: dict[str, Any]
    names: tuple[str, ...]
    """The order of the reference: JAX sorts the names of a tree."""

    def build(self, weights: dict[str, Any], running: dict[str, Any]) -> Any:
        both = weights | running
        return self.make({name: both[name] for name in self.names})

    def forward(self, weights: dict[str, Any], running: dict[str, Any], *inputs: Any) -> tuple[Any, ...]:
        made = self.build(weights, running)(*inputs)
        return (made,) if isinstance(made, jax.Array) else flatten_outputs(made, jax.tree.leaves)

    def loss(self, weights: dict[str, Any], running: dict[str, Any], *inputs: Any) -> Any:
        return self.build(weights, running).loss(*inputs)

    def backward(self, weights: dict[str, Any], running: dict[str, Any], *inputs: Any) -> tuple[Any, ...]:
        loss, gradients = jax.value_and_grad(self.loss)(weights, running, *inputs)
        return (loss, *[gradients[name] for name in self.weights])

    def training_loss(
        self, weights: dict[str, Any], running: dict[str, Any], *inputs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return the loss, and the statistics after it."""
        model = self.build(weights, running)
        return model.training_loss(*inputs) if running else (model.loss(*inputs), running)


def format_switch(value: object) -> str:
    return "on" if value else "off"


def list_jitted(program: Any) -> Iterator[str]:
    """Yield the names of the jitted functions that a program calls, except those of JAX itself."""
    library = str(Path(jax.__file__).parent)
    for equation in program.eqns:
        for inner in jax.core.jaxprs_in_params(equation.params):
            place = str(inner.debug_info.func_src_info)
            if equation.primitive.name in ("jit", "pjit") and library not in place:
                yield str(equation.params["name"])
            yield from list_jitted(inner)


def count_pool_threads() -> int:
    """Count the threads of this process that bear the name of XLA's pool; 0 if the system lists no threads."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return 0
    return sum((task / "comm").read_text().startswith(POOL_THREAD_PREFIX) for task in tasks.iterdir())
