"""What a mode of PyTorch is: phases, in each of which something is made of a model, and at last what is called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.event import PhaseName
from workers.frameworks import Prepared, Shape, Step, Unsupported

Call = Callable[..., Any]

Phases = Sequence[tuple[PhaseName | None, Callable[[Any], Any]]]
"""The first is given a Subject, each other one what the one before it has made, and the last makes a Call. The phase
None stands for a mode that has nothing to do before its first call."""

Modes = Mapping[str, Phases]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, which of its methods is to be called, a set of inputs, and their shapes with None for open axes."""

    model: Any
    method: str
    example: tuple[Any, ...]
    shapes: Sequence[Shape]

    @property
    def call(self) -> Call:
        """The method; for `forward` the model itself, which is how a model is called."""
        return self.model if self.method == "forward" else getattr(self.model, self.method)

    def forward_only(self, reason: str) -> None:
        """Refuse the loss, whose gradients are asked for.

        Raises:
            Unsupported: with this reason.
        """
        if self.method != "forward":
            raise Unsupported(reason)


def prepared(phases: Phases, made: Any, finish: Callable[[Call], Step]) -> Prepared:
    """The phases one after another, each given what the one before it has made; at last `finish` makes the step."""
    (phase, act), *rest = phases
    return Prepared(phase, lambda: prepared(rest, act(made), finish) if rest else finish(act(made)))
