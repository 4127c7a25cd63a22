"""What all tasks share: phases in turn, versions as asked for, and a refusal in one sentence."""

import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Event, Phase
from workers.errors import Unsupported
from workers.frameworks import numpy
from workers.interfaces import Prepared, Step
from workers.measurement.phases import Ledger
from workers.session import read_versions, restore_step, run_phases

if TYPE_CHECKING:
    from tests.workers.conftest import Ask


def test_phases_run_in_turn_and_the_last_gives_the_step() -> None:
    said: list[Event] = []

    def step() -> tuple[int, ...]:
        return (7,)

    compile_: Prepared[Step] = Prepared("compile", lambda: Prepared(None, lambda: step))
    made = run_phases(Prepared[Step]("trace", lambda: compile_), Ledger(said.append))
    assert made is step
    assert [event.name for event in said if isinstance(event, Phase)] == ["trace", "compile"]


def test_a_framework_that_cannot_load_a_saved_model_is_unsupported(ask: "Ask") -> None:
    framework = numpy.Framework(ask("numpy", "eager", "mlp").cell)
    with pytest.raises(Unsupported, match="cannot load a saved model: choose the origin source"):
        restore_step(framework, Path("model"), (), (), Ledger(lambda event: None))


def test_versions_are_those_of_the_named_distributions_that_are_installed() -> None:
    assert read_versions(["numpy", "no-such-package"]) == {
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
    }
