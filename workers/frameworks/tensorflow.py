"""TensorFlow 2: eager, as a static graph by tf.function, and with that graph compiled by XLA."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.util import _pywrap_util_port

from schemas.event import PhaseName, Setting
from schemas.job import Cell
from schemas.models import ModelSource
from workers import contract
from workers.arrays import Array, cast_floating, widen_values
from workers.dropout import prepare_without
from workers.errors import Unsupported
from workers.frameworks import check_output_types, classify_denormals, is_defined_by, pair_settings, tensorflow_saved
from workers.frameworks.tensorflow_training import TensorFlowTrainer, choose_update
from workers.images import arrange_images, choose_arguments, restore_images
from workers.interfaces import (
    Allocated,
    HasDropout,
    HasTrainingLoss,
    HasWeights,
    KeepsTypes,
    Prepared,
    Shape,
    Step,
    Writer,
    select_trained,
)
from workers.interfaces import Trainer as AnyTrainer
from workers.layout import to_reference_layout
from workers.outputs import flatten_outputs
from workers.precision import check_precision, check_weight_precision


def keep_eager(step: Step, example: Sequence[Any], shapes: Sequence[Shape]) -> Step:
    return step


def trace_function(step: Step, example: Sequence[Any], shapes: Sequence[Shape]) -> Step:
    """Trace now, for these shapes. A declared signature slows every call, so only open shapes get one."""
    is_open = any(None in shape for shape in shapes)
    signature = [tf.TensorSpec(shape, value.dtype) for shape, value in zip(shapes, example, strict=True)]
    graph = tf.function(step, input_signature=signature if is_open else None, jit_compile=False)
    graph.get_concrete_function(*([] if is_open else signature))
    return graph


def trace_for_xla(step: Step, example: Sequence[Any], shapes: Sequence[Shape]) -> Step:
    """Trace now, and compile in the first call. XLA takes closed shapes only: every other one is traced and compiled.

    The count of traces is therefore also the count of compilations.
    """
    graph = tf.function(step, jit_compile=True)
    graph.get_concrete_function(*(tf.TensorSpec(value.shape, value.dtype) for value in example))
    return graph


@runtime_checkable
class CountsTraces(Protocol):
    """A tf.function, built here or loaded from a file; an eager step is none."""

    def experimental_get_tracing_count(self) -> int: ...


GPU = "GPU:0"
Compile = Callable[[Step, Sequence[Any], Sequence[Shape]], Step]

MODES: dict[str, tuple[PhaseName | None, Compile]] = {
    "eager": (None, keep_eager),
    "function": ("trace", trace_function),
    "xla": ("trace", trace_for_xla),
}


class Framework:
    """TensorFlow 2, in every mode but the session."""

    trainer: AnyTrainer

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self.by_xla = cell.mode == "xla"
        self._dtype = tf.dtypes.as_dtype(cell.dtype)
        self._layout: Callable[[list[Array]], list[Array]] = list
        self._number = 0
        self._prepare_verified: Callable[[], Step] | None = None
        self._checks_precision = True

    def apply_settings(self) -> None:
        # Devices and threads cannot be changed after the first operation has started the runtime.
        self._choose_device()
        if self._cell.track == "parity":
            pools = tf.config.threading
            pools.set_intra_op_parallelism_threads(self._cell.threads)
            pools.set_inter_op_parallelism_threads(1)
            # On by default, and its rounding error would hide mistakes such as another GELU.
            tf.config.experimental.enable_tensor_float_32_execution(False)
        tf.constant(0)  # starts the runtime

    def read_settings(self) -> Sequence[Setting]:
        pools = tf.config.threading
        asked: dict[str, str] = {"device": self._cell.device}
        if self._cell.track == "parity":
            asked |= {"intra-op threads": str(self._cell.threads), "inter-op threads": "1", "TensorFloat-32": "off"}
            asked |= {"clustering by XLA": "off"}
            asked |= {"denormals": "flushed"} if self._cell.device == "cpu" else {}
        asked |= {"oneDNN": "off"} if self._cell.tuning == "no-onednn" else {}
        tiny = tf.constant([np.finfo(np.float32).tiny]) * 0.5
        got = {
            "intra-op threads": str(pools.get_intra_op_parallelism_threads()),
            "inter-op threads": str(pools.get_inter_op_parallelism_threads()),
            "denormals": classify_denormals(float(tiny[0])),
            "TensorFloat-32": "on" if tf.config.experimental.tensor_float_32_execution_enabled() else "off",
            "clustering by XLA": "on" if tf.config.optimizer.get_jit() else "off",
            "device": "cuda" if "GPU" in tiny.device else "cpu",
            "oneDNN": "on" if _pywrap_util_port.IsMklEnabled() else "off",
        }
        return pair_settings(asked, got)

    def _choose_device(self) -> None:
        """Hide every GPU from a cell of the CPU; otherwise take memory of the first GPU as needed, not all at once."""
        gpus = tf.config.list_physical_devices("GPU")
        if self._cell.device == "cpu":
            tf.config.set_visible_devices([], "GPU")
            return
        if not gpus:
            raise Unsupported("TensorFlow sees no GPU: install a build with CUDA, and a driver for the GPU")
        tf.config.set_visible_devices(gpus[:1], "GPU")
        tf.config.experimental.set_memory_growth(gpus[0], enable=True)

    def build_info(self) -> str:
        return str(dict(tf.sysconfig.get_build_info()))

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return self.convert_values(arrange_images(values, self._cell.tuning))

    def convert_values(self, values: Sequence[Array]) -> tuple[Any, ...]:
        """Convert inputs or weights, whose axes stay in their order."""
        return tuple(tf.constant(cast_floating(value, self._dtype.as_numpy_dtype)) for value in values)

    def open_file(self, source: ModelSource, dtypes: Sequence[str]) -> Any:
        return tensorflow_saved.read_signature(source)

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        tensors = dict(zip(weights, self.convert_values(list(weights.values())), strict=True))
        set_keras_dtype(self._cell.dtype)
        kind = contract.find_model_class(implementation, self._cell.task, alone=True)
        further = choose_arguments(kind, self._cell.tuning)
        if contract.accepts_parameters_alone(kind):
            self.require_loading()
            made = load_weights(kind(self._cell.parameters, **further), tensors)
        else:
            made = kind(self._cell.parameters, tensors, **further)
        kept = list_variables(made)
        dtypes = {each.name: getattr(each.dtype, "name", each.dtype) for each in kept}
        check_weight_precision(dtypes, self._cell, contract.find_place(type(made), "__init__"))
        if self._cell.task != "forward":
            self._layout = partial(to_reference_layout, made, names=list(select_trained(weights)))
            self._number = len(kept)
            # Shapes alone: in a session, variables have no values yet.
            own = self.to_reference([np.empty(tuple(each.shape)) for each in kept])
            contract.check_model_weights(
                made, [each.shape for each in own], weights, "as a tf.Variable in the list `weights`"
            )
        return made

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        """Convert arrays that belong to the model's variables; a model from a file has the reference's layout."""
        return [*self._layout(arrays[: self._number]), *arrays[self._number :]]

    def convert_outputs(self, arrays: list[Array]) -> list[Array]:
        """Convert images and gradients in a step's outputs."""
        if self._cell.task == "forward":
            return restore_images(arrays, self._cell.tuning)
        return [arrays[0], *self.to_reference(arrays[1:])] if self._cell.task == "backward" else arrays

    def require_loading(self) -> None:
        """Check that weights can be loaded into a model that was made without them: they can, unless in a session."""

    def read_state(self, implementation: Any, seed: int) -> dict[str, Array]:
        set_keras_dtype(self._cell.dtype)
        tf.random.set_seed(seed)
        made = contract.find_model_with_state(implementation, self._cell.task)(self._cell.parameters)
        return {name_variable(each): each.numpy() for each in list_variables(made)}

    def list_random_parts(self, model: Any) -> Sequence[str]:
        """Name the layers that drop values at random, or whose noise is random."""
        layers = [
            each for each in (model, *getattr(model, "__dict__", {}).values()) if hasattr(each, "_flatten_layers")
        ]
        parts = {id(part): part for each in layers for part in each._flatten_layers()}  # noqa: SLF001 (no public name)
        return [
            f"{type(part).__name__} {part.name}" for part in parts.values() if getattr(part, "seed_generator", None)
        ]

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        phase, compile_ = MODES[self._cell.mode]
        self._checks_precision = not isinstance(model, KeepsTypes)
        step = self._make_step(model)
        if isinstance(model, HasDropout) and model.dropout is not None:
            model.dropout.switch_rates(on=True)
            again = partial(self._prepare_again, model, example, shapes)
            self._prepare_verified = cache(partial(prepare_without, model.dropout, again))
        return Prepared(phase, lambda: self._keep_prepared(compile_(step, example, shapes)))

    def get_verified_step(self, step: Step) -> Step:
        return step if self._prepare_verified is None else self._prepare_verified()

    def _prepare_again(self, model: Any, example: Sequence[Any], shapes: Sequence[Shape]) -> Step:
        """Prepare another step on the weights of the first."""
        assert isinstance(self.trainer, TensorFlowTrainer)
        _, compile_ = MODES[self._cell.mode]
        return compile_(make_training_step(model, self.trainer), example, shapes)

    def saving(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Writer]:
        if self._cell.mode == "xla" and any(None in shape for shape in shapes):
            raise Unsupported(
                "a saved XLA graph is fixed to the shapes it was traced for; save tensorflow:function instead"
            )
        phase, compile_ = MODES[self._cell.mode]
        step = self._make_step(model)
        return Prepared(phase, lambda: partial(tensorflow_saved.write_function, model, compile_(step, example, shapes)))

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        def load_step() -> Step:
            # The variables live only as long as the loaded module, not as long as its step.
            self._saved = tensorflow_saved.read_function(path)
            return self._keep_prepared(self._saved.step)

        return Prepared("load", load_step)

    def _make_step(self, model: Any) -> Step:
        if self._cell.task == "forward":
            return make_forward_step(model)
        if self._cell.task == "backward":
            return make_backward_step(model)
        self.trainer = trainer = self._make_trainer(model)
        return make_training_step(model, trainer)

    def _make_trainer(self, model: Any) -> TensorFlowTrainer:
        return TensorFlowTrainer(model, choose_update(model, self._cell.task))

    def _keep_prepared(self, step: Step) -> Step:
        self.prepared = step
        return step

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Read the first output: an eager tensor hands out its buffer once it has been computed."""
        outputs[0].numpy()
        if self._cell.device == "cuda":
            tf.test.experimental.sync_devices()

    def device_memory(self) -> Allocated | None:
        """Read the counters of TensorFlow's allocator."""
        if self._cell.device == "cpu":
            return None
        info = tf.config.experimental.get_memory_info(GPU)
        return Allocated(info["current"], info["peak"])

    def reset_device_peak(self) -> None:
        tf.config.experimental.reset_memory_stats(GPU)

    def compilations(self) -> int | None:
        step = self.prepared
        return step.experimental_get_tracing_count() if isinstance(step, CountsTraces) else None

    def find_compiled(self, step: Step, example: tuple[Any, ...]) -> str:
        # A traced function is registered under such a name. Operations that run one by one are, too, under others.
        traced = (name for name in context.context().list_function_names() if name.startswith("__inference_"))
        return "tf.function" if self._cell.mode == "eager" and any(traced) else ""

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        check_output_types(outputs, tf.Tensor)
        check_classes(outputs)
        if self._checks_precision:
            check_precision([output.dtype.name for output in outputs], self._cell)
        return self.convert_outputs([widen_values(output.numpy()) for output in outputs])


def check_classes(outputs: Sequence[Any]) -> None:
    """Check that outputs have classes of TensorFlow: another one may compute when somebody looks.

    Raises:
        TypeError: an output has another class.
    """
    for output in outputs:
        if not is_defined_by(type(output), "tensorflow"):
            raise TypeError(f"the step returned {type(output).__name__}: return a tensor of TensorFlow's own class")


def list_variables(model: Any) -> list[Any]:
    """Return the variables that a model lists as its weights."""
    return [*model.weights] if isinstance(model, HasWeights) else []


def name_variable(variable: Any) -> str:
    """Return the name of a variable; Keras has a path, in which layers of one kind differ."""
    return str(getattr(variable, "path", variable.name)).removesuffix(":0")


def load_weights(model: Any, tensors: Mapping[str, Any]) -> Any:
    """Assign weights to a model's variables by their names, and return it."""
    state = {name_variable(each): each for each in list_variables(model)}
    contract.check_names(tensors, state, contract.find_place(type(model), "__init__"))
    for name, tensor in tensors.items():
        state[name].assign(tensor)
    return model


def set_keras_dtype(dtype: str) -> None:
    """Make Keras build its layers in this dtype, if the implementation has imported Keras."""
    config = getattr(sys.modules.get("keras"), "config", None)
    if config is not None and config.dtype_policy().name != dtype:
        config.set_floatx(dtype)
        config.set_dtype_policy(dtype)


def make_forward_step(model: Any) -> Step:
    def step(*inputs: Any) -> tuple[Any, ...]:
        made = model(*inputs)
        return (made,) if isinstance(made, tf.Tensor) else flatten_outputs(made, tf.nest.flatten)

    return step


def make_backward_step(model: Any) -> Step:
    weights = list(model.weights)  # a module's own list is a tracking wrapper, and slow to take gradients for

    def step(*inputs: Any) -> tuple[Any, ...]:
        with tf.GradientTape() as tape:
            loss = model.loss(*inputs)
        return (loss, *to_dense_tensors(tape.gradient(loss, weights)))

    return step


def make_training_step(model: Any, trainer: TensorFlowTrainer) -> Step:
    # The list is plain, as in `backward`.
    weights, loss_of = list(model.weights), model.training_loss if isinstance(model, HasTrainingLoss) else model.loss

    def step(*inputs: Any) -> tuple[Any, ...]:
        with tf.GradientTape() as tape:
            loss = loss_of(*inputs)
        trainer.apply_gradients(to_dense_tensors(tape.gradient(loss, weights)))
        return (loss,)

    return step


def to_dense_tensors(gradients: Sequence[Any]) -> list[Any]:
    """Convert gradients to tensors: the gradient of a table whose rows were gathered is rows and their indices."""
    return [tf.convert_to_tensor(each) if isinstance(each, tf.IndexedSlices) else each for each in gradients]
