"""TorchScript files and exported programs, measured by real workers and verified against themselves in float64."""

import pickle
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.event import Exported, Failure, Report
from schemas.job import Export
from tests.workers.models.endings import read_refusal

pytest.importorskip("torch")

import torch

if TYPE_CHECKING:
    from tests.workers.conftest import Work
    from tests.workers.models.conftest import MakeFileCase


# Saving a script warns that TorchScript is deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Net(torch.nn.Module):  # type: ignore[misc]
    """Two inputs, of which one is an integer, and two outputs in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(11, 6)
        self.last = torch.nn.Linear(6, 5)
        self.register_buffer("scale", torch.full((5,), 2.0))

    def forward(self, x: torch.Tensor, words: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return a scaled sum of rows and inputs."""
        rows = torch.tanh(self.table(words) + x)
        return {"rows": rows, "scores": self.last(rows) * self.scale}


def write_script(folder: Path) -> Path:
    traced = torch.jit.trace(Net().eval(), (torch.ones(2, 6), torch.ones(2, dtype=torch.int64)), strict=False)
    torch.jit.save(traced, folder / "net.pt")
    return folder / "net.pt"


def write_program(folder: Path) -> Path:
    batch = torch.export.Dim("batch", min=2)
    example = (torch.ones(2, 6), torch.ones(2, dtype=torch.int64))
    program = torch.export.export(Net().eval(), example, dynamic_shapes=({0: batch}, {0: batch}))
    torch.export.save(program, folder / "net.pt2")
    return folder / "net.pt2"


INPUTS = ("float32[batch,6]", "words=int64[batch]<11")


def check_right(last: Report | Failure, *names: str) -> None:
    assert isinstance(last, Report), last
    assert (last.verification.reason, last.verification.agreement) == ("", "")
    assert set(names) <= {check.tensor for check in last.verification.checks}


@pytest.mark.parametrize(
    ("mode", "task"),
    [
        ("torch:script", "forward"),
        ("torch:script-freeze", "forward"),
        ("torch:script-optimized", "forward"),
        ("torch:script", "backward"),
        ("torch:eager", "train-sgd"),
    ],
)
@pytest.mark.long
def test_torchscript_runs_in_the_modes_of_the_jit(
    tmp_path: Path, make_file_case: "MakeFileCase", mode: str, task: str
) -> None:
    case = make_file_case(write_script(tmp_path), inputs=INPUTS)
    names = {"forward": ("output 0", "output 1"), "backward": ("loss", "gradient of last.weight"), "train-sgd": ()}
    check_right(case.measure(mode, batch=3, task=task), *names[task])


@pytest.mark.parametrize(
    ("mode", "task"),
    [
        ("torch:eager", "forward"),
        ("torch:trace", "forward"),
        ("torch:compile", "forward"),
        ("torch:aot", "forward"),
        ("torch:eager", "backward"),
    ],
)
@pytest.mark.long
def test_an_exported_program_runs_as_pytorch_runs_its_graph(
    tmp_path: Path, make_file_case: "MakeFileCase", mode: str, task: str
) -> None:
    case = make_file_case(write_program(tmp_path), inputs=INPUTS)
    check_right(case.measure(mode, batch=4, task=task))


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
@pytest.mark.long
def test_an_exported_program_is_exported_for_other_runtimes(
    tmp_path: Path, make_file_case: "MakeFileCase", work: "Work"
) -> None:
    case = make_file_case(write_program(tmp_path), inputs=INPUTS)
    expected = case.expect(batch=3)
    spec = case.make_spec("onnxruntime:session", batch=3).model_copy(update={"expected": expected})
    made = work(spec.model_copy(update={"purpose": Export(path=str(tmp_path / "made.onnx"))}))
    last = made.events[-1]
    assert isinstance(last, Exported), (last, made.log)
    ended = work(spec.model_copy(update={"artefact": last.artefact})).events[-1]
    assert isinstance(ended, Report | Failure)
    check_right(ended, "output 0", "output 1")


@pytest.mark.long
def test_torchscript_says_no_shapes_so_the_user_or_the_data_do(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    file = write_script(tmp_path)
    assert read_refusal(make_file_case(file)).startswith(
        "net.pt does not say the shapes of its inputs (x, words); describe each of them, as in --input"
    )
    rows = np.random.default_rng(1)
    np.savez(tmp_path / "rows.npz", x=rows.random((9, 6)).astype(np.float32), words=rows.integers(0, 11, 9))
    check_right(make_file_case(file, data=str(tmp_path / "rows.npz")).measure("torch:script", batch=2))


@pytest.mark.long
def test_a_program_knows_its_inputs(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    case = make_file_case(write_program(tmp_path))
    with np.load(case.expect(batch=5).path) as kept:
        assert (kept["inputs.0.0"].shape, kept["inputs.0.1"].dtype) == ((5, 6), np.int64)
    case = make_file_case(write_program(tmp_path), inputs=("float32[batch,7]",))
    assert "--input float32[batch,7] does not fit net.pt2, which takes x=float32[?,6]" in read_refusal(case, batch=2)


class Trap:
    """An object whose unpickling writes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (self.file,)  # type: ignore[return-value]


@pytest.mark.long
def test_no_pickle_of_a_file_runs_code(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    sprung = tmp_path / "sprung"
    source, trapped = write_program(tmp_path), tmp_path / "trapped.pt2"
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(trapped, "w") as made:
        for name in whole.namelist():
            is_pickle = name.endswith("sample_inputs/model.pt")
            made.writestr(
                name.replace("net/", "trapped/"), pickle.dumps(Trap(sprung)) if is_pickle else whole.read(name)
            )
    assert "trapped.pt2 cannot be loaded" in read_refusal(make_file_case(trapped))
    assert not sprung.exists()


@pytest.mark.long
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    for file in (write_script(tmp_path), write_program(tmp_path)):
        with zipfile.ZipFile(file) as whole:
            kept = {name: whole.read(name) for name in whole.namelist()}
        with zipfile.ZipFile(file, "w") as made:
            for name, content in kept.items():
                made.writestr(
                    name, content[: len(content) // 2] if "model.json" in name or "code/" in name else content
                )
        assert f"{file.name} cannot be loaded" in read_refusal(make_file_case(file, inputs=INPUTS))
