"""Modes of PyTorch: each is a chain of phases that starts with a model and ends with a callable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.event import PhaseName
from workers.errors import Unsupported
from workers.interfaces import Prepared, Shape, Step

Call = Callable[..., Any]

# The first phase takes a Subject, every other one the result of the phase before it, and the last returns a Call.
# The phase None stands for a mode that has nothing to do before its first call.
Phases = Sequence[tuple[PhaseName | None, Callable[[Any], Any]]]

Modes = Mapping[str, Phases]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, the method of it to call, a set of inputs, and their shapes with None for open axes.

    The method is a name: by it, TorchScript marks what to compile, and a loaded module has it again.
    """

    model: Any
    method: str
    example: tuple[Any, ...]
    shapes: Sequence[Shape]

    @property
    def call(self) -> Call:
        """The method; for `forward` the model itself, as models are called in PyTorch."""
        return self.model if self.method == "forward" else getattr(self.model, self.method)

    def require_forward(self, reason: str) -> None:
        """Refuse a loss, because the task needs its gradients.

        Raises:
            Unsupported: the method is not `forward`; the message is `reason`.
        """
        if self.method != "forward":
            raise Unsupported(reason)


def chain_phases(phases: Phases, made: Any, finish: Callable[[Call], Step]) -> Prepared[Step]:
    """Chain the phases: each takes the result of the one before it, and `finish` makes the step of the last."""
    (phase, act), *rest = phases
    return Prepared(phase, lambda: chain_phases(rest, act(made), finish) if rest else finish(act(made)))
