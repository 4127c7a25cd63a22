"""Dropout that is on where steps are timed, and off where results are verified."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Step = Callable[..., tuple[Any, ...]]


class Dropout:
    """The rates at which the layers of a model drop their values: each layer with the names of these attributes.

    The layers stay in their modes while it is off: other parts of them may behave differently in training.
    """

    def __init__(self, found: Iterable[tuple[Any, Sequence[str]]]) -> None:
        dropping = [(layer, names) for layer, names in found if names]
        self._rates = [(layer, name, getattr(layer, name)) for layer, names in dropping for name in names]
        self.layers = len(dropping)

    def switch_rates(self, *, on: bool) -> None:
        """Restore all rates, or set them to zero."""
        for layer, name, rate in self._rates:
            setattr(layer, name, rate if on else 0.0)

    @contextmanager
    def switch_off(self) -> Iterator[None]:
        """Switch dropout off inside, and on again."""
        self.switch_rates(on=False)
        try:
            yield
        finally:
            self.switch_rates(on=True)

    def describe_use(self, *, timed: bool) -> str:
        """Describe where it is off; with `timed`, it is on in timed steps."""
        if not timed:
            return f"dropout is off (layers: {self.layers}), so that results can be verified"
        return (
            f"dropout is on in timed steps (layers: {self.layers}) and off in verified ones, which are prepared in the "
            "same way"
        )


def prepare_without(dropout: Dropout, prepare: Callable[[], Step]) -> Step:
    """Prepare a step, and return it, with dropout off while it is prepared and while it is called.

    A graph has the rates in it, so a step that has been prepared with dropout would keep it.
    """
    with dropout.switch_off():
        made = prepare()

    def call_without(*inputs: object) -> tuple[Any, ...]:
        with dropout.switch_off():
            return made(*inputs)

    return call_without
