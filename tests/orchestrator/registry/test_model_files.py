"""Model files as workloads: found by name, checked before anything starts, and refused where they cannot run."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.model_files import explain_file_refusal, get_file_kind, is_opened
from orchestrator.registry.models import list_missing_packages, load_model, load_models
from schemas.job import Cell
from schemas.models import ModelRequest
from schemas.workloads import Workload

MakeCell = Callable[..., Cell]
GRAPH = b"\x08\x0a and so on"


def load(folder: Path, source: str = "net.onnx", **said: object) -> Workload:
    return load_model(ModelRequest.model_validate({"source": source, "folder": str(folder), **said}))


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """Return a file that may be an ONNX model."""
    file = tmp_path / "net.onnx"
    file.write_bytes(GRAPH)
    return file


def test_a_file_is_a_workload_whose_runtime_is_the_referee(tmp_path: Path, graph: Path) -> None:
    model = load(tmp_path)
    assert (model.name, model.reference, model.parameters) == ("net", "onnxruntime", ())
    assert model.model is not None
    assert (model.model.file, model.model.kind, model.model.title) == (str(graph), "onnx", "net.onnx")
    kind = get_file_kind(model)
    assert kind is not None
    assert kind.name == "onnx"
    assert list_missing_packages(model.model) == []


def test_a_signature_of_a_saved_model_is_named_after_a_colon(tmp_path: Path) -> None:
    tmp_path.joinpath("saved").mkdir()
    with pytest.raises(UsageError, match=r"there is no file .*saved; name a Python file"):
        load(tmp_path, "saved/:encode")
    tmp_path.joinpath("saved", "saved_model.pb").write_bytes(b"graph")
    model = load(tmp_path, "saved/:encode")
    assert model.model is not None
    assert (model.name, model.reference, model.model.attribute) == ("saved", "tensorflow", "encode")
    assert load(tmp_path, "saved/:decode").code != model.code


def test_sizes_that_a_file_leaves_open_are_parameters_once_they_are_named(tmp_path: Path, graph: Path) -> None:
    sizes = load(tmp_path, sizes=["length"], inputs=["float32[batch,width=3]"]).parameters
    assert {each.name: each.default for each in sizes} == {"length": 1, "width": 3}


def test_other_bytes_inputs_or_data_are_other_code(tmp_path: Path, graph: Path) -> None:
    tmp_path.joinpath("rows.npz").write_bytes(b"rows")
    codes = [load(tmp_path).code, load(tmp_path, inputs=["float32[3]"]).code, load(tmp_path, data="rows.npz").code]
    graph.write_bytes(GRAPH + b"!")
    assert len({*codes, load(tmp_path).code}) == 4


@pytest.mark.parametrize(
    ("source", "said", "reason"),
    [
        ("missing.onnx", {}, r"there is no file .*missing\.onnx; name the file of a model"),
        ("page.onnx", {}, r"page\.onnx cannot be measured: it is not an ONNX model"),
        ("net.onnx", {"data": "rows.npy"}, r"--data 'rows\.npy' must be an \.npz file with one array for each input"),
        ("net.onnx", {"data": "missing.npz"}, "must be an .npz file"),
        (
            "net.onnx",
            {"labels": "labels.npy"},
            "--labels are the answers to inputs of your own; give these, too: --data",
        ),
        (
            "net.onnx",
            {"data": "rows.npz", "labels": "l.txt"},
            r"--labels 'l\.txt' must be an \.npy file with whole numbers",
        ),
        ("net.onnx", {"inputs": ["float32"]}, "--input 'float32' describes no input"),
        ("net.py", {"data": "rows.npz"}, r"--data holds the inputs of a model file, and net\.py is none"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_what_to_do(
    tmp_path: Path, graph: Path, source: str, said: dict[str, object], reason: str
) -> None:
    tmp_path.joinpath("page.onnx").write_text("<html>")
    for name in ("rows.npy", "rows.npz", "l.txt"):
        tmp_path.joinpath(name).write_bytes(b"")
    with pytest.raises(UsageError, match=reason):
        load(tmp_path, source, **said)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"framework": "openvino", "mode": "compiled"}, ""),
        (
            {"framework": "torch", "mode": "eager"},
            "net.onnx is an ONNX model, which runs as onnxruntime:session or openvino:compiled",
        ),
        ({"task": "backward"}, "an ONNX model has no loss, and no weights that could be trained"),
        ({"dtype": "float64"}, "net.onnx computes in the types that its file has; leave out --dtype"),
        ({"origin": "file"}, "net.onnx is a file already; leave out --origin"),
    ],
)
def test_a_cell_that_no_file_can_have_is_refused(
    tmp_path: Path, graph: Path, make_cell: MakeCell, fields: dict[str, str], reason: str
) -> None:
    cell = make_cell(**{"framework": "onnxruntime", "mode": "session", "task": "forward", **fields})
    said = explain_file_refusal(cell, load(tmp_path), load_frameworks()[cell.framework])
    assert said.startswith(reason)
    assert bool(said) == bool(reason)


def test_siblings_that_differ_in_their_suffix_alone_have_names_of_their_own(tmp_path: Path, graph: Path) -> None:
    tmp_path.joinpath("net.tflite").write_bytes(b"....TFL3")
    first = ModelRequest(source="net.onnx", folder=str(tmp_path))
    found = load_models([first, first.model_copy(update={"source": "net.tflite", "is_sibling": True})])
    assert [*found] == ["net", "net_tflite"]
    assert [each.model.is_sibling for each in found.values() if each.model] == [False, True]
    assert {each.variant_of for each in found.values()} == {"net+net_tflite"}


def test_only_runtimes_of_its_kind_open_a_file(tmp_path: Path, graph: Path) -> None:
    model = load(tmp_path)
    assert [is_opened(model, name) for name in ("onnxruntime", "openvino", "torch")] == [True, True, False]
    tmp_path.joinpath("net.py").write_text("import torch\n")
    assert not is_opened(load(tmp_path, "net.py"), "onnxruntime")


def test_a_package_of_aotinductor_runs_in_the_one_mode_that_compiles_nothing(
    tmp_path: Path, make_cell: MakeCell
) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt2", "w") as made:
        made.writestr("net/data/aotinductor/model/code.so", "library")
    model = load(tmp_path, "net.pt2:model")
    kind = get_file_kind(model)
    assert kind is not None
    assert (kind.name, kind.modes, model.name) == ("aoti-package", ("torch:aot",), "net")
    said = [
        explain_file_refusal(make_cell(framework="torch", task="forward", **fields), model, load_frameworks()["torch"])
        for fields in ({"mode": "aot"}, {"mode": "compile"}, {"mode": "aot", "dtype": "bfloat16"})
    ]
    assert said == [
        "",
        "net.pt2:model is a package of AOTInductor, which runs as torch:aot",
        "net.pt2:model computes in the types that its file has; leave out --dtype",
    ]
