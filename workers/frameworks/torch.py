"""PyTorch: eager here, its other modes in the files `torch_*.py`."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from schemas.event import Setting
from schemas.job import TRAINING_TASKS, Cell, Task
from schemas.models import ModelSource
from workers import contract
from workers.arrays import Array, is_floating, widen_values
from workers.dropout import prepare_without
from workers.errors import Unsupported, Wrong
from workers.frameworks import (
    check_output_types,
    classify_denormals,
    is_defined_by,
    pair_settings,
    to_tuple,
    torch_ahead,
    torch_aot,
    torch_compile,
    torch_int8,
    torch_package,
    torch_saved,
    torch_script,
    torch_state,
    torch_tuning,
)
from workers.frameworks.torch_flat import flatten_module_outputs
from workers.frameworks.torch_mode import (
    AdaptedModel,
    Call,
    Modes,
    Phases,
    Subject,
    chain_phases,
    finish_phases,
    require_capture,
)
from workers.frameworks.torch_training import OPTIMISERS, TorchTrainer
from workers.images import arrange_images, choose_arguments, restore_images
from workers.interfaces import (
    Allocated,
    HasKernelAxes,
    HasTrainingLoss,
    Prepared,
    Shape,
    Step,
    Writer,
    select_running,
    select_trained,
)
from workers.layout import to_reference_layout
from workers.precision import check_precision, check_weight_precision


def call_eagerly(subject: Subject) -> Call:
    return subject.flatten(subject.call)


MODES: Modes = {
    "eager": ((None, call_eagerly),),
    **torch_script.MODES,
    **torch_compile.MODES,
    **torch_ahead.MODES,
    **torch_aot.MODES,
    **torch_int8.MODES,
}


class Framework:
    """PyTorch. On the CPU every operation has finished when its call returns; a GPU has to be waited for."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._dtype: torch.dtype = getattr(torch, cell.dtype)  # PyTorch names its dtypes as cells do
        self._device = torch.device(cell.device)
        self._kernel_axes: Sequence[int] = ()
        self._trained: Sequence[str] = ()
        # The statistics of a reference, by name. None: all buffers are compared.
        self._running: dict[str, Sequence[int]] | None = None
        self._layout: Callable[[list[Array]], list[Array]] = list
        self._number = 0
        self._scripted = 0
        self._checks_precision = True
        self._make_optimiser = OPTIMISERS.get(cell.task)
        self._prepare_verified: Callable[[], Step] | None = None
        # The types of the inputs of a user's package; none: they have the cell's.
        self._dtypes: Sequence[str] = ()
        self._arrange = torch_tuning.choose_arrangement(cell.tuning)
        self._arranged: Any = None
        # The file with compiled code that the step loads.
        self._code: Path | None = None

    def apply_settings(self) -> None:
        if self._cell.device == "cuda" and not torch.cuda.is_available():
            raise Unsupported("PyTorch sees no GPU: install a build with CUDA, and a driver for the GPU")
        self.apply_thread_settings()
        torch_tuning.apply_tuning(self._cell.tuning)
        if self._cell.track == "parity":
            # PyTorch raises if this comes a second time, or after parallel work has started.
            torch.set_num_interop_threads(1)
            torch.set_float32_matmul_precision("highest")
            # cuDNN's benchmark may choose another algorithm in every process.
            torch.backends.cudnn.benchmark = False
            torch.backends.cudnn.allow_tf32 = False  # the same by its older name, which torch.export still reads
            torch.backends.cudnn.conv.fp32_precision = "ieee"
            torch.backends.cudnn.rnn.fp32_precision = "ieee"
        self._scripted = torch_script.count_scripted()

    def apply_thread_settings(self) -> None:
        torch.set_grad_enabled(self._cell.task != "forward")
        if self._cell.track == "parity":
            torch.set_num_threads(self._cell.threads)
            # TensorFlow and JAX always flush denormals; PyTorch would otherwise spend time on them.
            torch.set_flush_denormal(True)

    def read_settings(self) -> Sequence[Setting]:
        asked = {"gradients": "off" if self._cell.task == "forward" else "on", "device": self._cell.device}
        if self._cell.track == "parity":
            asked |= {
                "intra-op threads": str(self._cell.threads),
                "inter-op threads": "1",
                "denormals": "flushed",
                "float32 matmul precision": "highest",
                "float32 convolution precision": "ieee",
                "float32 recurrence precision": "ieee",
            }
        asked |= {"oneDNN": "off"} if self._cell.tuning == "no-onednn" else {}
        # Half of the least normal number is denormal, so the product shows if such numbers survive.
        tiny = torch.tensor([torch.finfo(torch.float32).tiny], dtype=torch.float32) * 0.5
        got = {
            "intra-op threads": str(torch.get_num_threads()),
            "inter-op threads": str(torch.get_num_interop_threads()),
            "denormals": classify_denormals(tiny.item()),
            "float32 matmul precision": torch.get_float32_matmul_precision(),
            "float32 convolution precision": torch.backends.cudnn.conv.fp32_precision,
            "float32 recurrence precision": torch.backends.cudnn.rnn.fp32_precision,
            "gradients": "on" if torch.is_grad_enabled() else "off",
            "device": torch.ones(1, device=self._device).device.type,
            "oneDNN": "on" if torch.backends.mkldnn.enabled else "off",
            "compile threads": os.environ.get("TORCHINDUCTOR_COMPILE_THREADS", "default"),
        }
        if self._code is not None and self._cell.shapes == "fixed" and self._cell.mode in torch_compile.MODES:
            missed = torch_compile.count_missed()
            asked["graphs in the loaded caches"] = "all"
            got["graphs in the loaded caches"] = f"all but {missed}" if missed else "all"
        if self._arranged is not None:
            asked["memory format"] = torch_tuning.CHANNELS_LAST
            got["memory format"] = torch_tuning.read_arrangement(self._arranged)
        return pair_settings(asked, got)

    def build_info(self) -> str:
        return torch.__config__.show()

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return self._convert(arrange_images(values, self._cell.tuning))

    def _convert(self, values: Sequence[Array]) -> tuple[Any, ...]:
        dtypes = [getattr(torch, name) for name in self._dtypes] or [self._choose_dtype(value) for value in values]
        pairs = zip(values, dtypes, strict=True)
        return tuple(self._arrange(torch.tensor(value, dtype=dtype, device=self._device)) for value, dtype in pairs)

    def holds_values(self, arrays: tuple[Any, ...], values: Sequence[Array]) -> bool:
        pairs = zip(arrays, self.arrays(values), strict=True)
        return all(bool(((now == made) | torch.isnan(made)).all()) for now, made in pairs)

    def _choose_dtype(self, value: Array) -> torch.dtype | None:
        """Return the cell's dtype for floating-point numbers; None: an integer keeps its type."""
        if not is_floating(value):
            return None
        if not np.iscomplexobj(value):
            return self._dtype
        # PyTorch has a complex dtype of half precision, but hardly an operation in it.
        return torch.complex64 if self._dtype == torch.float16 else self._dtype.to_complex()

    def open_file(self, source: ModelSource, dtypes: Sequence[str]) -> ModelSource:
        # The inputs have types of their own from now on, so another instance measures what the machine can do.
        self._dtypes, self.arithmetic = dtypes, Framework(self._cell)
        return source

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        tensors = dict(zip(weights, self._convert(list(weights.values())), strict=True))
        self._kernel_axes = implementation.KERNEL_AXES if isinstance(implementation, HasKernelAxes) else ()
        self._running = {name: weight.shape for name, weight in select_running(weights).items()}
        # A module of a library makes its tensors in the default dtype, in its constructor and in its calls.
        torch.set_default_dtype(self._dtype)
        kind = contract.find_model_class(implementation, self._cell.task, alone=True)
        further = choose_arguments(kind, self._cell.tuning)
        if contract.accepts_parameters_alone(kind):
            made = torch_state.load_weights(kind(self._cell.parameters, **further), tensors)
        else:
            made = kind(self._cell.parameters, tensors, **further)
        dtypes = {name: each.dtype for name, each in made.named_parameters()}
        check_weight_precision(dtypes, self._cell, contract.find_place(type(made), "__init__"))
        if self._cell.task != "forward":
            self._layout = partial(to_reference_layout, made, names=list(select_trained(weights)))
            self._number = len(dtypes)
            # Shapes alone: copies of the values would take memory in a measured phase.
            own = self.to_reference([np.empty(self._order_axes(each).shape) for each in made.parameters()])
            contract.check_model_weights(made, [each.shape for each in own], weights, "as an nn.Parameter")
        return made.train(self._cell.task != "forward")

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        if isinstance(model, ModelSource):
            return Prepared("load", lambda: self._load_package(model))
        subject, phases = self._make_subject(model, example, shapes), self._list_phases()
        self._subject = subject
        if isinstance(model, AdaptedModel):
            phases = require_capture(phases, self._cell.mode)
            if model.dropout is not None:
                model.dropout.switch_rates(on=True)
                again = partial(self._prepare_again, model, subject, phases)
                self._prepare_verified = cache(partial(prepare_without, model.dropout, again))
        restore = keep_buffers(model)

        def finish_step(call: Call) -> Step:
            restore()
            return self._make_step(model, call)

        return chain_phases(phases, subject, finish_step)

    def make_unquantised_step(self) -> Step:
        return make_forward_step(call_eagerly(self._subject))

    def get_verified_step(self, step: Step) -> Step:
        return step if self._prepare_verified is None else self._prepare_verified()

    def _prepare_again(self, model: AdaptedModel, subject: Subject, phases: Phases) -> Step:
        """Prepare another step on the weights of the first."""

        def finish(call: Call) -> Step:
            return self.trainer.make_step(model.add_loss(call))

        return finish_phases(chain_phases(phases, subject, finish))

    def _load_package(self, source: ModelSource) -> Step:
        self._checks_precision = False  # a package has types of its own
        return make_forward_step(torch_package.load_package(source, self._cell.device))

    def _make_subject(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Subject:
        module = model.flat if isinstance(model, AdaptedModel) else model
        if self._cell.tuning == "channels-last":
            torch_tuning.arrange_module(module)
            self._arranged = module
        if isinstance(model, AdaptedModel):
            return Subject(module, "forward", example, shapes, model.written, model.flatten)
        return Subject(model, choose_method(self._cell.task, model), example, shapes)

    def _make_step(self, model: Any, call: Call) -> Step:
        if isinstance(model, AdaptedModel):
            # A model as it is may well compute its last outputs in float32.
            self._checks_precision = False
            self._trained = [name for name, each in model.flat.named_parameters() if each.requires_grad]
            self._make_optimiser = model.make_optimiser or self._make_optimiser
            # A mode acts on the model, and the loss of its outputs is eager in all modes.
            return self._make_step(model.flat, call if self._cell.task == "forward" else model.add_loss(call))
        if self._cell.task == "forward":
            return make_forward_step(call)
        if self._cell.task == "backward":
            return make_backward_step(call, [each for each in model.parameters() if each.requires_grad])
        self.trainer = self._make_trainer(model)
        return self.trainer.make_step(call)

    def _make_trainer(self, model: Any) -> TorchTrainer:
        assert self._make_optimiser is not None, "a model without an optimiser of its own has one of the fixed tasks"
        return TorchTrainer(model, self._make_optimiser, self._running)

    @property
    def saves_code(self) -> bool:
        """True if the file of this cell's mode holds compiled code alone."""
        return self._cell.mode in torch_saved.CODE_FORMATS

    def take_code(self, path: Path) -> None:
        self._code = path

    def _list_phases(self) -> Phases:
        """List the phases of the cell's mode, with the loading of compiled code in the place of what it spares."""
        phases = MODES[self._cell.mode]
        if self._code is None:
            return phases
        return torch_saved.CODE_FORMATS[self._cell.mode].list_phases(self._code, phases)

    def saving(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Writer]:
        if self.saves_code:
            return Prepared("compile", lambda: self._save_code(model, example, shapes))
        saved, subject = torch_saved.ARTEFACT_FORMATS[self._cell.mode], self._make_subject(model, example, shapes)
        if isinstance(model, AdaptedModel) and self._cell.task != "forward":
            raise Unsupported("a saved model has no loss; measure files with --tasks forward")
        restore = keep_buffers(model)

        def make_writer() -> Writer:
            made = saved.make(subject)
            restore()
            return partial(saved.write, made)

        return Prepared(saved.phase, make_writer)

    def _save_code(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Writer:
        saved, subject = torch_saved.CODE_FORMATS[self._cell.mode], self._make_subject(model, example, shapes)
        restore = keep_buffers(model)
        made = saved.make(subject, lambda: finish_phases(self.step(model, example, shapes))(*example))
        restore()
        return partial(saved.write, made)

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        call, saved = (
            "forward" if self._cell.task == "forward" else "loss",
            torch_saved.ARTEFACT_FORMATS[self._cell.mode],
        )

        def load_step() -> Step:
            restored, module = saved.read(path, call)
            return self._make_step(module, restored)

        return Prepared("load", load_step)

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Wait for a GPU. On the CPU every operation has already finished."""
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    def device_memory(self) -> Allocated | None:
        """Read the counters of PyTorch's allocator."""
        if self._device.type == "cpu":
            return None
        return Allocated(
            torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
        )

    def reset_device_peak(self) -> None:
        torch.cuda.reset_peak_memory_stats()

    def compilations(self) -> int | None:
        """Count the graphs of torch.compile. TorchScript does not count; its compilations show in the warm-up alone."""
        counts = self._cell.mode in {**torch_compile.MODES, **torch_ahead.MODES}
        return torch_compile.count_graphs() if counts else None

    @property
    def reuses_outputs(self) -> bool:
        """True if the step replays CUDA graphs, whose memory is fixed."""
        return self._cell.mode in ("compile-reduce-overhead", "compile-max-autotune") and self._cell.device == "cuda"

    def copy_outputs(self, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(output.clone() for output in outputs)

    def find_compiled(self, step: Step, example: tuple[Any, ...]) -> str:
        if self._cell.mode != "eager":
            return ""
        scripted = torch_script.count_scripted() - self._scripted
        found = (("torch.compile", torch_compile.count_graphs()), ("torch.jit.script", scripted))
        return " and ".join(compiler for compiler, number in found if number > 0)

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        # The loss of a user's model depends on these parameters in its reference process.
        lost = [name for name, each in zip(self._trained, outputs[1:], strict=False) if each is None]
        if lost:
            raise Wrong(f"{lost[0]} has no gradient in this mode, but one in its reference")
        if self._cell.task == "forward":
            outputs = flatten_module_outputs(outputs)
        check_output_types(outputs, torch.Tensor)
        if self._checks_precision:
            check_precision([output.dtype for output in outputs], self._cell)
        if self._cell.task != "forward":
            outputs = tuple(map(self._order_axes, outputs))
        arrays = [widen_values(to_dense(get_held_tensor(output))) for output in outputs]
        if self._cell.task == "forward":
            return restore_images(arrays, self._cell.tuning)
        return [arrays[0], *self.to_reference(arrays[1:])] if self._cell.task == "backward" else arrays

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        """Convert arrays that belong to the model's parameters; a model from a file has the reference's layout."""
        return [*self._layout(arrays[: self._number]), *arrays[self._number :]]

    def read_state(self, implementation: Any, seed: int) -> dict[str, Array]:
        torch.set_default_dtype(self._dtype)
        torch.manual_seed(seed)
        made = contract.find_model_with_state(implementation, self._cell.task)(self._cell.parameters)
        return {name: to_dense(each) for name, each in torch_state.list_state(made).items()}

    def list_random_parts(self, model: Any) -> Sequence[str]:
        """Name the modules that drop values at random in this task."""
        modules = model.named_modules() if isinstance(model, torch.nn.Module) else ()  # not of a model from a file
        return [
            f"{type(each).__name__} {name}"
            for name, each in modules
            if each.training and torch_state.list_dropout_rates(each)
        ]

    def _order_axes(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a kernel, or its gradient, in the reference's order of axes, and any other tensor unchanged."""
        if tensor.ndim != 4 or not self._kernel_axes:
            return tensor
        return tensor.permute([self._kernel_axes.index(axis) for axis in range(4)])


def get_held_tensor(output: torch.Tensor) -> torch.Tensor:
    """Return the data that a tensor holds, and not what its class computes when somebody looks.

    Raises:
        TypeError: it holds none, because its class answers every operation itself.
    """
    kind = type(output)
    if is_defined_by(kind, "torch"):
        return output
    if kind.__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        raise TypeError(f"the step returned {kind.__name__}, which computes when it is read: return a plain tensor")
    with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001 (there is no public name for it)
        return torch.Tensor.as_subclass(output, torch.Tensor)


def to_dense(tensor: torch.Tensor) -> Array:
    """Return a tensor as an array; the gradient of a table may hold only the rows that were looked up."""
    dense = tensor.detach() if tensor.layout == torch.strided else tensor.detach().to_dense()
    wide = dense.to("cpu", torch.float64) if dense.is_floating_point() else dense.cpu()
    return np.array(wide.resolve_conj().resolve_neg().numpy())


def choose_method(task: Task, model: Any) -> str:
    """Return the name of the method that a task calls."""
    if task == "forward":
        return "forward"
    return "training_loss" if task in TRAINING_TASKS and isinstance(model, HasTrainingLoss) else "loss"


def make_forward_step(model: Callable[..., Any]) -> Step:
    def step(*inputs: Any) -> tuple[Any, ...]:
        return to_tuple(model(*inputs))

    return step


def make_backward_step(loss_of: Callable[..., Any], parameters: Sequence[Any]) -> Step:
    def step(*inputs: Any) -> tuple[Any, ...]:
        # A gradient that is still there would be added to.
        for parameter in parameters:
            parameter.grad = None
        loss = loss_of(*inputs)
        loss.backward()
        return (loss, *[parameter.grad for parameter in parameters])

    return step


def keep_buffers(model: Any) -> Callable[[], None]:
    """Return a function that gives buffers their present values again: tracing a model runs it, and may change them."""
    return model.restore if isinstance(model, AdaptedModel) else torch_state.keep_buffers(model)
