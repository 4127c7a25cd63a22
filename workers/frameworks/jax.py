"""JAX on the CPU: operation by operation, and compiled by jax.jit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from schemas.event import Setting
from schemas.job import Cell
from workers.arrays import Array
from workers.frameworks import Prepared, Shape, Step, flushed, own

POOL = "tf_XLAEigen"
"""What XLA calls the threads of its pool. It has no other way to say how many they are."""


class Framework:
    """JAX, with the weights as an argument of what is differentiated and compiled."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._compiled: Any = None

    def configure(self) -> Sequence[Setting]:
        """Settings come before the first operation, which starts the runtime with them.

        With asynchronous dispatch, calls overlap where there are cores to spare, and what is timed is several
        at once. Without it a call has finished when it returns, as in the other frameworks on the CPU.
        """
        parity = self._cell.track == "parity"
        wide = self._cell.dtype == "float64"
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", wide)
        if parity:
            jax.config.update("jax_default_matmul_precision", "highest")
            jax.config.update("jax_cpu_enable_async_dispatch", False)
        tiny = jnp.full(4, jnp.finfo(jnp.float32).tiny, jnp.float32) * 0.5
        config = jax.config.values
        threads, asked = pool_threads(), str(self._cell.threads) if parity else None
        return (
            Setting(name="backend", asked="cpu", got=jax.default_backend()),
            Setting(name="threads of XLA's pool", asked=asked if threads else None, got=str(threads or "unknown")),
            Setting(
                name="float32 matmul precision",
                asked="highest" if parity else None,
                got=str(config["jax_default_matmul_precision"]),
            ),
            Setting(name="64-bit types", asked=switch(wide), got=switch(config["jax_enable_x64"])),
            Setting(
                name="asynchronous dispatch",
                asked="off" if parity else None,
                got=switch(config["jax_cpu_enable_async_dispatch"]),
            ),
            Setting(
                name="compilation cache",
                asked="off" if parity else None,
                got=switch(config["jax_enable_compilation_cache"]),
            ),
            Setting(name="denormals", asked="flushed" if parity else None, got=flushed(float(tiny[0]))),
        )

    def build_info(self) -> str:
        return jax.devices()[0].client.platform_version

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(jax.block_until_ready([jnp.array(value, self._cell.dtype) for value in values]))

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        tensors = dict(zip(weights, self.arrays(list(weights.values())), strict=True))
        return implementation.Model(tensors)

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared:
        compute = forward if self._cell.task == "forward" else backward
        if self._cell.mode == "eager":
            return Prepared(None, lambda: self._of(model, compute))
        self._compiled = jax.jit(compute)
        return Prepared("trace", lambda: self._lowered(model, self._compiled.lower(model, *example)))

    def _lowered(self, model: Any, lowered: Any) -> Prepared:
        """Compile now. The first call of the jitted function, whose trace this is, then finds it compiled."""

        def prepare() -> Step:
            lowered.compile()
            return self._of(model, self._compiled)

        return Prepared("compile", prepare)

    def _of(self, model: Any, compute: Any) -> Step:
        if self._cell.task == "forward":
            return lambda *inputs: (compute(model, *inputs),)
        names = list(model.weights)

        def step(*inputs: Any) -> tuple[Any, ...]:
            loss, gradients = compute(model, *inputs)
            return (loss, *[gradients.weights[name] for name in names])

        return step

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        jax.block_until_ready(outputs)

    def compilations(self) -> int | None:
        """What the jitted function holds: one for each combination of shapes and types that it has met."""
        return None if self._compiled is None else int(self._compiled._cache_size())  # noqa: SLF001 (no other count)

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        own(outputs, jax.Array)
        return [np.asarray(output).astype(np.float64) for output in outputs]


def forward(model: Any, *inputs: Any) -> Any:
    return model(*inputs)


def loss(model: Any, *inputs: Any) -> Any:
    return model.loss(*inputs)


backward = jax.value_and_grad(loss)


def switch(value: object) -> str:
    return "on" if value else "off"


def pool_threads() -> int:
    """How many threads of this process bear the name of XLA's pool; 0 where the system does not tell."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return 0
    return sum((task / "comm").read_text().startswith(POOL) for task in tasks.iterdir())
