"""Users' models in files, and the jobs that the orchestrator makes of them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.artefact import Artefact
from schemas.event import Exported, Failure, Report
from schemas.job import ComputeReference, JobSpec
from schemas.model_code import hash_model_code
from schemas.model_files import find_kind
from schemas.models import ModelSource

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work


class Case:
    """One model in a folder of its own, measured by real workers after its reference process."""

    def __init__(
        self, folder: Path, text: str, ask: "Ask", work: "Work", framework: str, inputs: tuple[str, ...]
    ) -> None:
        self._ask, self._work, self._folder, self._framework = ask, work, folder, framework
        file = folder / "net.py"
        file.write_text(text)
        self.source = ModelSource(file=str(file), folder=str(folder), inputs=inputs)

    def make_spec(self, mode: str, **fields: object) -> JobSpec:
        """Make the spec of a job that measures the model."""
        framework, _, name = mode.partition(":")
        code = hash_model_code(self.source)
        spec = self._ask(framework, name, "net", code=code, **{"task": "forward", **fields})
        return spec.model_copy(update={"model": self.source, "reference": self._framework})

    _first = ""
    """The mode of the reference process; empty: eager."""

    def refer(self, first: Artefact | None = None, /, **fields: object) -> Exported | Failure:
        """Run the reference process, and return how it ended; `first` is the file of the first of several models."""
        path = self._folder / f"{abs(hash(str((first, sorted(fields.items())))))}.npz"
        spec = self.make_spec(self._first or f"{self._framework}:eager", **fields)
        purpose = ComputeReference(path=str(path))
        ended = self._work(spec.model_copy(update={"purpose": purpose, "expected": first}))
        last = ended.events[-1]
        assert isinstance(last, Exported | Failure), ended.log
        return last

    def expect(self, **fields: object) -> Artefact:
        """Return the file of the reference process, which must have succeeded."""
        last = self.refer(**fields)
        assert isinstance(last, Exported), last
        return last.artefact

    def measure(self, mode: str, expected: Artefact | None = None, **fields: object) -> Report | Failure:
        """Measure the model in a mode, and return how that ended."""
        spec = self.make_spec(mode, **fields)
        ended = self._work(spec.model_copy(update={"expected": expected or self.expect(**fields)}))
        last = ended.events[-1]
        assert isinstance(last, Report | Failure), ended.log
        return last


class FileCase(Case):
    """One model file in a folder, measured by real workers after its reference process."""

    def __init__(self, file: Path, ask: "Ask", work: "Work", attribute: str = "", **said: object) -> None:
        found = find_kind(file)
        assert found is not None
        self._ask, self._work, self._folder, self._framework = ask, work, file.parent, found.framework
        self._first = f"{found.framework}:{LITERAL_MODES.get(found.framework, 'eager')}"
        known = {"file": str(file), "attribute": attribute, "folder": str(file.parent), "kind": found.name}
        self.source = ModelSource.model_validate(known | said)


MakeCase = Callable[..., Case]
MakeFileCase = Callable[..., FileCase]
LITERAL_MODES = {"onnxruntime": "session", "openvino": "compiled"}


@pytest.fixture
def make_case(tmp_path: Path, ask: "Ask", work: "Work") -> MakeCase:
    def of(text: str, framework: str = "torch", inputs: tuple[str, ...] = ()) -> Case:
        return Case(tmp_path, text, ask, work, framework, inputs)

    return of


@pytest.fixture
def make_file_case(ask: "Ask", work: "Work") -> MakeFileCase:
    def of(file: Path, attribute: str = "", **said: object) -> FileCase:
        return FileCase(file, ask, work, attribute, **said)

    return of
