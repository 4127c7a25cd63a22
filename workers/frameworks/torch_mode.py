"""Modes of PyTorch: each is a chain of phases that starts with a model and ends with a callable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.event import PhaseName
from workers.dropout import Dropout
from workers.errors import Unsupported, is_out_of_memory, summarise_error
from workers.interfaces import Prepared, Shape, Step

Call = Callable[..., Any]

# The first phase takes a Subject, every other one the result of the phase before it, and the last returns a Call.
# The phase None stands for a mode that has nothing to do before its first call.
Phases = Sequence[tuple[PhaseName | None, Callable[[Any], Any]]]

Modes = Mapping[str, Phases]


@dataclass(frozen=True, slots=True)
class AdaptedModel:
    """A user's model in the forms that the modes need.

    `flat` takes and returns tensors alone, for modes that capture a graph. `written` is the model as its author calls
    it, for modes that run or compile it as it is, and `flatten` makes a call on tensors of such a call.
    """

    flat: Any
    written: Any
    flatten: Callable[[Call], Call]
    loss: Callable[[Any], Any]
    restore: Callable[[], None]
    """Gives the buffers their first values again, which tracing may have changed."""
    make_optimiser: Callable[[Any], Any] | None = None
    """Makes the optimiser of its file from a list of parameters; None: the task says which one."""
    dropout: Dropout | None = None
    """Dropout that is on in timed steps and off in those that are verified; None: there is none, or it stays off."""

    def add_loss(self, call: Call) -> Call:
        """Return a call that computes the loss of the outputs, outside of what a mode compiles."""
        return lambda *inputs: self.loss(call(*inputs))


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, the method of it to call, a set of inputs, and their shapes with None for open axes.

    The method is a name: by it, TorchScript marks what to compile, and a loaded module has it again.
    """

    model: Any
    method: str
    example: tuple[Any, ...]
    shapes: Sequence[Shape]
    written: Any = None
    """The model as its author calls it, if that is not on tensors alone; `flatten` makes such a call of it."""
    flatten: Callable[[Call], Call] = lambda call: call

    @property
    def source(self) -> Any:
        """The model as its author wrote it."""
        return self.model if self.written is None else self.written

    @property
    def call(self) -> Call:
        """The method as its author calls it; for `forward` the model itself, as models are called in PyTorch."""
        return choose_call(self.source, self.method)

    def require_forward(self, reason: str) -> None:
        """Refuse a loss, because the task needs its gradients.

        Raises:
            Unsupported: the method is not `forward`; the message is `reason`.
        """
        if self.method != "forward":
            raise Unsupported(reason)


def choose_call(module: Any, method: str) -> Call:
    """Return what a program calls: for `forward` the module itself, whose `__call__` takes a microsecond or two."""
    return module if method == "forward" else getattr(module, method)


def require_capture(phases: Phases, mode: str) -> Phases:
    """Return the phases for a user's model: what a mode cannot prepare, it does not support.

    The model has run eagerly in its reference process, so the mode is to blame, and the first line of its error says
    for what.
    """

    def guard(act: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run_phase(made: Any) -> Any:
            try:
                return act(made)
            except Unsupported:
                raise
            except Exception as error:  # whatever a compiler raises
                if is_out_of_memory(error):
                    raise
                raise Unsupported(f"torch:{mode} cannot prepare this model: {summarise_error(error)}") from error

        return run_phase

    return [(phase, guard(act)) for phase, act in phases]


def finish_phases(ready: Step | Prepared[Step]) -> Step:
    """Run all phases of a step that is prepared, none of which is timed."""
    while isinstance(ready, Prepared):
        ready = ready.prepare()
    return ready


def chain_phases(phases: Phases, made: Any, finish: Callable[[Call], Step]) -> Prepared[Step]:
    """Chain the phases: each takes the result of the one before it, and `finish` makes the step of the last."""
    (phase, act), *rest = phases
    return Prepared(phase, lambda: chain_phases(rest, act(made), finish) if rest else finish(act(made)))
