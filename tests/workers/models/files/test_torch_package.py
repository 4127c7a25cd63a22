"""Packages of AOTInductor, compiled here, measured by real workers, and verified by another form of the model."""

import json
import warnings
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.event import Exported, Report
from schemas.models import InputSignature, ModelSource
from tests.workers.models.endings import read_refusal
from workers.errors import Malformed, Unsupported

if TYPE_CHECKING:
    from tests.workers.models.conftest import MakeFileCase

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")

# The lines of a library's source that say what its inputs are, as PyTorch 2.13 writes them.
CODE = """
    inputs_info_[0].name = "arg2_1";
    inputs_info_[1].name = "arg3_1";
    inputs_info_[2].name = "arg6_1";
    constants_info_[0].dtype = cached_torch_dtype_bfloat16;
    int32_t arg2_1_expected_dtype = aoti_torch_dtype_float32();
    if (arg2_1_size[0] < 2) {
    int32_t arg3_1_expected_dtype = aoti_torch_dtype_int64();
    if (3 != arg3_1_size[1]) {
    if (arg3_1_size[0] < 2) {
    int32_t arg6_1_expected_dtype = aoti_torch_dtype_bool();
    if (_check_env()) { assert_size_stride(arg2_1, {s46, 6L}, {6L, 1L}, "input"); }
    if (_check_env()) { assert_size_stride(arg6_1, {}, {}, "input"); }
"""


def test_the_source_of_a_library_says_what_its_inputs_are() -> None:
    pytest.importorskip("torch")
    from workers.models.files.torch_package import read_signature

    assert read_signature(CODE) == [
        InputSignature("input0", "float32", ("", 6), {}, None),
        InputSignature("input1", "int64", ("", 3), {}, None),
        InputSignature("input2", "bool", (), {}, None),
    ]


@pytest.mark.parametrize("line", ["inputs_info_", "arg2_1_expected_dtype", "3 != arg3_1_size"])
def test_a_source_that_leaves_something_out_says_nothing(line: str) -> None:
    pytest.importorskip("torch")
    from workers.models.files.torch_package import read_signature

    lines = [each for each in CODE.splitlines() if line not in each]
    code = "\n".join(lines).replace("arg3_1_size[0]", "arg3_1_size[1]")
    assert read_signature(code if line != "3 != arg3_1_size" else code.replace("[1] < 2", "[2] < 2")) is None


def make_source(folder: Path, *models: str, attribute: str = "") -> ModelSource:
    file = folder / "net.pt2"
    with zipfile.ZipFile(file, "w") as made:
        for name in models:
            made.writestr(f"net/data/aotinductor/{name}/code.wrapper.so", name)
            made.writestr(f"net/data/aotinductor/{name}/code.wrapper_metadata.json", json.dumps({"of": name}))
    return ModelSource(file=str(file), attribute=attribute, folder=str(folder), kind="aoti-package")


@pytest.mark.parametrize(
    ("models", "named", "found"),
    [
        (("only",), "", "only"),
        (("model", "other"), "", "model"),
        (("one", "two"), "two", "two"),
        (("one", "two"), "", r"net\.pt2 has 2 models; name one of one, two, as in --model net\.pt2:one"),
        (("one", "two"), "three", r"net\.pt2 has no model three; name one of one, two"),
    ],
)
def test_a_model_of_a_package_is_named_after_a_colon(
    tmp_path: Path, models: tuple[str, ...], named: str, found: str
) -> None:
    pytest.importorskip("torch")
    from workers.frameworks.torch_package import choose_model, read_target

    source = make_source(tmp_path, *models, attribute=named)
    if found in models:
        assert choose_model(source) == found
        assert read_target(source, found) == {"of": found}
    else:
        with pytest.raises(Malformed, match=found):
            choose_model(source)


@pytest.mark.parametrize("said", [{"AOTI_DEVICE_KEY": "cuda"}, {"AOTI_MACHINE": "other"}, {"AOTI_PLATFORM": "win32"}])
def test_a_package_for_another_device_or_machine_is_refused(tmp_path: Path, said: dict[str, str]) -> None:
    pytest.importorskip("torch")
    from workers.frameworks.torch_package import check_target

    source = make_source(tmp_path, "model")
    check_target(source, {}, "cpu")
    with pytest.raises(Unsupported, match=r"net\.pt2 is compiled for .*, and this is cpu .*; compile it for that"):
        check_target(source, said, "cpu")
    check_target(source, said if said == {"AOTI_DEVICE_KEY": "cuda"} else {}, "cuda")


MODULE = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.table = torch.nn.Embedding(11, 6)
        self.last = torch.nn.Linear(6, 5)

    def forward(self, x, words):
        rows = torch.tanh(self.table(words) + x)
        return {"scores": self.last(rows), "rows": rows}


def inputs(batch=1):
    return torch.randn(batch, 6), torch.randint(0, 11, (batch,))
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package, the program that it was compiled from, and one that computes something else."""
    torch = pytest.importorskip("torch")
    from torch._inductor import aoti_compile_and_package

    folder, names = tmp_path_factory.mktemp("packages"), dict[str, object]()
    exec(MODULE, names)
    batch = torch.export.Dim("batch", min=2)
    example, shapes = (torch.ones(4, 6), torch.ones(4, dtype=torch.int64)), ({0: batch}, {0: batch})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        net = names["Net"]().eval()  # type: ignore[operator]
        program = torch.export.export(net, example, dynamic_shapes=shapes)
        torch.export.save(program, folder / "program.pt2")
        aoti_compile_and_package(program, package_path=str(folder / "net.pt2"))
        net.last.bias += 0.01
        torch.export.save(torch.export.export(net, example, dynamic_shapes=shapes), folder / "other.pt2")
    return folder


BOUND = ("float32[batch,6]", "int64[batch]<11")


def refer_first(make_file_case: "MakeFileCase", file: Path) -> Exported:
    made = make_file_case(file, inputs=BOUND).refer(batch=3)
    assert isinstance(made, Exported), made
    return made


@pytest.mark.long
@pytest.mark.exhaustive
def test_a_package_is_run_as_it_is_and_nothing_verifies_it(compiled: Path, make_file_case: "MakeFileCase") -> None:
    case = make_file_case(compiled / "net.pt2", inputs=BOUND)
    report = case.measure("torch:aot", batch=3)
    assert isinstance(report, Report), report
    assert report.verification.reason == ""
    assert report.verification.agreement.startswith("nothing verifies net.pt2")
    assert {"output 0", "output 1"} == {check.tensor for check in report.verification.checks}
    names = [cost.name for cost in report.phases]
    assert "load" in names
    assert not {"trace", "compile"} & {*names}


@pytest.mark.long
@pytest.mark.exhaustive
def test_the_first_of_two_models_verifies_a_package(compiled: Path, make_file_case: "MakeFileCase") -> None:
    for name, wrong in (("program", False), ("other", True)):
        first = refer_first(make_file_case, compiled / f"{name}.pt2")
        case = make_file_case(compiled / "net.pt2", inputs=BOUND, is_sibling=True)
        shared = case.refer(first.artefact, batch=3)
        assert isinstance(shared, Exported), shared
        report = case.measure("torch:aot", shared.artefact, batch=3)
        assert isinstance(report, Report), report
        assert report.verification.agreement == ""
        assert ("output 1 is off by" in report.verification.reason) == bool(report.verification.reason) == wrong
        error = report.verification.likeness.error
        assert error is not None
        assert (error > 1e-4) == wrong


@pytest.mark.long
def test_inputs_come_from_the_package_and_others_are_refused(compiled: Path, make_file_case: "MakeFileCase") -> None:
    file = compiled / "net.pt2"
    with np.load(make_file_case(file).expect(batch=5).path) as kept:
        assert (kept["inputs.0.0"].shape, kept["inputs.0.1"].dtype) == ((5, 6), np.int64)
    assert "takes input0=float32[?,6]" in read_refusal(make_file_case(file, inputs=("float32[batch,7]",)), batch=2)
    said = read_refusal(make_file_case(file), batch=1)
    assert "net.pt2 refuses its inputs" in said
    assert "expected it to be >= 2, but got: 1; choose another --batch" in said


@pytest.mark.parametrize(
    ("ending", "change", "said"),
    [
        (".wrapper.so", lambda content: content[:20], "net.pt2 cannot be loaded: "),
        (".wrapper_metadata.json", lambda _: b'{"AOTI_DEVICE_KEY": "cuda"}', "net.pt2 is compiled for cuda linux"),
        (".wrapper.cpp", lambda _: b"", "net.pt2 does not say the shapes of its inputs (input0)"),
    ],
)
@pytest.mark.long
def test_a_changed_package_is_refused_in_one_sentence(
    compiled: Path, tmp_path: Path, make_file_case: "MakeFileCase", ending: str, change: object, said: str
) -> None:
    assert callable(change)
    made = tmp_path / "net.pt2"
    with zipfile.ZipFile(compiled / "net.pt2") as whole, zipfile.ZipFile(made, "w") as copy:
        for name in whole.namelist():
            content = whole.read(name)
            copy.writestr(name, change(content) if name.endswith(ending) else content)
    assert read_refusal(make_file_case(made), batch=3).startswith(said)


@pytest.mark.long
def test_a_byte_that_was_flipped_is_found_before_the_library_runs(
    compiled: Path, tmp_path: Path, make_file_case: "MakeFileCase"
) -> None:
    made = tmp_path / "net.pt2"
    content = bytearray(compiled.joinpath("net.pt2").read_bytes())
    content[len(content) // 2] ^= 255
    made.write_bytes(content)
    assert read_refusal(make_file_case(made), batch=3).startswith("net.pt2 is damaged: ")
