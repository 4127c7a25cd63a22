"""What all tasks share: phases in turn, versions as asked for, and a refusal in one sentence."""

import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Event, Phase
from workers.artefacts import ArtefactChanged, artefact_from_file
from workers.errors import Unsupported
from workers.frameworks import numpy
from workers.interfaces import Prepared, Step
from workers.measurement.phases import Ledger
from workers.session import build_model, is_restored, make_problem, read_versions, restore_step, run_phases

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


class CodeFramework(numpy.Framework):
    """A framework whose file holds code: it keeps the path."""

    saves_code = True
    code: Path | None = None

    def take_code(self, path: Path) -> None:
        self.code = path


def test_beside_a_file_that_holds_code_the_model_is_built_and_without_one_it_is_not(ask: "Ask", tmp_path: Path) -> None:
    path = tmp_path / "code.bin"
    path.write_bytes(b"code")
    asked = ask("numpy", "eager", "mlp", origin="file")
    spec = asked.model_copy(update={"artefact": artefact_from_file(path)})
    problem = make_problem(spec, "")
    beside, plain = CodeFramework(spec.cell), numpy.Framework(spec.cell)
    assert [is_restored(spec, each) for each in (beside, plain)] == [False, True]
    assert not is_restored(asked, plain)
    assert build_model(spec, "", beside, problem) != path
    assert beside.code == path
    assert build_model(spec, "", plain, problem) == path


def test_code_that_has_changed_since_it_was_saved_is_not_taken(ask: "Ask", tmp_path: Path) -> None:
    path = tmp_path / "code.bin"
    path.write_bytes(b"code")
    spec = ask("numpy", "eager", "mlp", origin="file").model_copy(update={"artefact": artefact_from_file(path)})
    path.write_bytes(b"other code")
    framework = CodeFramework(spec.cell)
    with pytest.raises(ArtefactChanged):
        build_model(spec, "", framework, make_problem(spec, ""))
    assert framework.code is None
