"""Kinds of model files, told apart without any framework, and hashed with all that belongs to them."""

import zipfile
from pathlib import Path

import pytest

from schemas.catalog import FRAMEWORKS
from schemas.model_files import KINDS, explain_unreadable, find_kind, get_kind, hash_files, list_files


def test_a_suffix_names_the_kind_in_any_case(tmp_path: Path) -> None:
    assert [find_kind(tmp_path / name) for name in ("net.py", "net", "onnx")] == [None, None, None]
    assert find_kind(tmp_path / "net.ONNX") is get_kind("onnx")


def test_every_mode_of_a_kind_is_in_the_catalog() -> None:
    modes = {f"{framework.name}:{mode.name}" for framework in FRAMEWORKS for mode in framework.modes}
    for kind in KINDS:
        assert {*kind.modes, *kind.other_modes} <= modes
        assert kind.framework in {framework.name for framework in FRAMEWORKS}
        assert set(kind.opened_by) <= {mode.partition(":")[0] for mode in kind.modes}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty; write the model again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "fetch the file with git lfs pull"),
        (b"<html>Not found</html>", "it is not an ONNX model"),
        (b"\x08\x0a and so on", ""),
    ],
)
def test_a_file_that_is_not_what_its_suffix_says_is_known_by_its_first_bytes(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(content)
    said = explain_unreadable(file, get_kind("onnx"))
    assert said.endswith(reason)
    assert bool(said) == bool(reason)


def write_archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(f"{path.stem}/{name}", "content")
    return path


@pytest.mark.parametrize(
    ("name", "members", "reason"),
    [
        ("net.pt", ("code/__torch__.py", "constants.pkl", "data.pkl"), ""),
        ("net.pt", ("data.pkl", "data/0"), "it holds weights without a program; save the model with torch.jit.save"),
        ("net.pt", ("models/model.json",), "it is an exported program; rename it to end in .pt2"),
        ("net.pt", ("other",), "it is not a TorchScript file; save the model with torch.jit.save"),
        ("net.pt2", ("models/model.json",), ""),
        ("net.pt2", ("data/aotinductor/model/x.so",), ""),
        ("net.pt", ("data/aotinductor/model/x.so",), "it is a package of AOTInductor; rename it to end in .pt2"),
        ("net.keras", ("other",), "it is no model that Keras has saved; write it with model.save"),
        ("net.pt2", ("code/__torch__.py",), "it is neither a program of torch.export nor a package of"),
    ],
)
def test_what_an_archive_of_pytorch_holds_is_known_by_its_members(
    tmp_path: Path, name: str, members: tuple[str, ...], reason: str
) -> None:
    file = write_archive(tmp_path / name, *members)
    kind = find_kind(file)
    assert kind is not None
    said = explain_unreadable(file, kind)
    assert said.startswith(reason)
    assert bool(said) == bool(reason)


@pytest.mark.parametrize(
    ("members", "name"),
    [
        (("data/aotinductor/model/x.so",), "aoti-package"),
        (("models/model.json",), "exported-program"),
        # A program can be verified in float64, and compiled again.
        (("data/aotinductor/model/x.so", "models/model.json"), "exported-program"),
        ((), "exported-program"),
    ],
)
def test_kinds_that_share_a_suffix_are_told_apart_by_their_members(
    tmp_path: Path, members: tuple[str, ...], name: str
) -> None:
    assert find_kind(write_archive(tmp_path / "net.pt2", *members)) is get_kind(name)
    assert find_kind(tmp_path / "missing.pt2") is get_kind("exported-program")


def test_only_a_package_is_read_as_one(tmp_path: Path) -> None:
    file = write_archive(tmp_path / "net.pt2", "models/model.json")
    assert explain_unreadable(file, get_kind("aoti-package")).startswith("it is no package of AOTInductor; write it")


def test_a_file_that_is_no_archive_is_none_of_pytorchs(tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    file.write_bytes(b"not a zip")
    assert explain_unreadable(file, get_kind("torchscript")).startswith("it is not a TorchScript file")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("net.xml", b"<?xml version='1.0'?><net/>", "its weights are missing; put net.bin beside it"),
        ("net.xml", b"<html>", "it is no graph of OpenVINO"),
        ("net.tflite", b"....TFL3", ""),
        ("net.tflite", b"....TFL", "it is no TensorFlow Lite model"),
    ],
)
def test_other_files_are_known_by_their_first_bytes(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    kind = find_kind(file)
    assert kind is not None
    assert explain_unreadable(file, kind) == reason
    tmp_path.joinpath("net.bin").touch()
    assert (explain_unreadable(file, kind) == "") == (reason == "" or "weights" in reason)


def test_a_folder_is_a_saved_model_by_the_file_in_it_and_hashed_with_all_below(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.joinpath("variables").mkdir(parents=True)
    assert find_kind(folder) is None
    folder.joinpath("saved_model.pb").write_bytes(b"graph")
    assert find_kind(folder) is get_kind("saved-model")
    assert explain_unreadable(folder, get_kind("saved-model")) == ""
    first = hash_files(folder, None)
    folder.joinpath("variables", "data").write_bytes(b"weights")
    assert hash_files(folder, None) != first


def test_the_hash_covers_weights_beside_the_file_but_no_other_file(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"\x08graph")
    first = hash_files(file, None)
    tmp_path.joinpath("other.onnx").write_bytes(b"\x08other")
    assert hash_files(file, None) == first
    for name in ("net.onnx.data", "net.onnx_data", "net.data"):
        tmp_path.joinpath(name).write_bytes(b"weights")
    assert [each.name for each in list_files(file)] == ["net.onnx", "net.data", "net.onnx.data", "net.onnx_data"]
    second = hash_files(file, None)
    tmp_path.joinpath("net.onnx.data").write_bytes(b"Weights")
    assert len({first, second, hash_files(file, None)}) == 3


def test_the_hash_covers_how_a_model_is_fed(tmp_path: Path) -> None:
    file, rows = tmp_path / "net.onnx", tmp_path / "rows.npz"
    file.write_bytes(b"\x08graph")
    rows.write_bytes(b"1")
    hashes = [hash_files(file, None), hash_files(file, None, "float32[3]"), hash_files(file, rows)]
    rows.write_bytes(b"2")
    assert len({*hashes, hash_files(file, rows)}) == 4
