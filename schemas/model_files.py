"""The kinds of files that hold a model: which of them there are, and what runs each.

A file is read here only as far as its form goes: a container of another kind is refused before any process starts.
"""

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.code import UnreadableCode
from schemas.job import TRAINING_TASKS, Task

# The pieces in which files are read, of which models of gigabytes are made.
PIECE = 1 << 20

# The first bytes of the text that stands for a file which Git LFS has not fetched.
LFS_POINTER = b"version https://git-lfs"

# The file that makes a folder a SavedModel.
GRAPH_FILE = "saved_model.pb"

# What tells the two kinds of .pt2 archives apart: the program of torch.export, and the folder of compiled libraries.
PROGRAM_FILE = "models/model.json"
LIBRARIES = "data/aotinductor/"

TASKS: tuple[Task, ...] = ("forward", "backward", *TRAINING_TASKS)


@dataclass(frozen=True, slots=True)
class FileKind:
    """One kind of model file. `framework` computes the expected results, and `modes` run it unless others are named.

    `opened_by` are the frameworks that open the file as it is. Others in `modes` get an export of it.
    """

    name: str
    title: str
    suffix: str
    framework: str
    modes: tuple[str, ...]
    opened_by: tuple[str, ...]
    module: str
    """The file of workers/models/ that adapts it."""
    explain_form: Callable[[Path], str]
    """Explains why a file is not of this kind; empty: it may be."""
    other_modes: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    """Requirements of the reference process, in addition to the framework's."""
    packages: tuple[str, ...] = ()
    """The packages of these requirements."""
    tasks: tuple[Task, ...] = ("forward",)
    is_cast: bool = False
    """The framework that opens it gives its weights the cell's dtype."""


def explain_onnx(path: Path) -> str:
    """Return nothing for what may be a protocol buffer; its runtime finds out the rest."""
    return "" if read_start(path, 1) == b"\x08" else "it is not an ONNX model"


def explain_torchscript(path: Path) -> str:
    """Return nothing for an archive with code that PyTorch's JIT can load; otherwise what it holds instead."""
    members = list_members(path)
    if PROGRAM_FILE in members:
        return "it is an exported program; rename it to end in .pt2"
    if has_libraries(members):
        return "it is a package of AOTInductor; rename it to end in .pt2"
    if any(name.startswith("code/") for name in members):
        return ""
    held = "it holds weights without a program" if "data.pkl" in members else "it is not a TorchScript file"
    return f"{held}; save the model with torch.jit.save, or name the Python file that builds it"


def explain_program(path: Path) -> str:
    """Return nothing for an archive that torch.export has written."""
    if PROGRAM_FILE in list_members(path):
        return ""
    return (
        "it is neither a program of torch.export nor a package of AOTInductor; save the program with torch.export.save"
    )


def explain_package(path: Path) -> str:
    """Return nothing for an archive with libraries that AOTInductor has compiled, and without their program."""
    members = list_members(path)
    if has_libraries(members) and PROGRAM_FILE not in members:
        return ""
    return "it is no package of AOTInductor; write it with torch._inductor.aoti_compile_and_package"


def has_libraries(members: list[str]) -> bool:
    """Return whether an archive with these members holds compiled libraries."""
    return any(name.startswith(LIBRARIES) for name in members)


def explain_intermediate(path: Path) -> str:
    """Return nothing for what may be a graph of OpenVINO, with its weights beside it; otherwise what is missing."""
    if b"<net" not in read_start(path, PIECE):
        return "it is no graph of OpenVINO"
    weights = path.with_suffix(".bin")
    return "" if weights.is_file() else f"its weights are missing; put {weights.name} beside it"


def explain_lite(path: Path) -> str:
    """Return nothing for a file with the mark of TensorFlow Lite."""
    return "" if read_start(path, 8)[4:] == b"TFL3" else "it is no TensorFlow Lite model"


def explain_keras(path: Path) -> str:
    """Return nothing for an archive that Keras has written."""
    names = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    return "" if "config.json" in names else "it is no model that Keras has saved; write it with model.save"


def explain_saved_model(path: Path) -> str:
    """Return nothing: the folder has been found by the file that makes it one."""
    return "" if path.joinpath(GRAPH_FILE).is_file() else f"it has no {GRAPH_FILE}"


KINDS: tuple[FileKind, ...] = (
    FileKind(
        name="onnx",
        title="an ONNX model",
        suffix=".onnx",
        framework="onnxruntime",
        modes=("onnxruntime:session", "openvino:compiled"),
        opened_by=("onnxruntime", "openvino"),
        explain_form=explain_onnx,
        requirements=("onnx==1.23.2",),
        packages=("onnx",),
        module="onnx",
    ),
    FileKind(
        name="torchscript",
        title="a TorchScript file",
        suffix=".pt",
        framework="torch",
        modes=("torch:script", "torch:script-freeze", "torch:script-optimized"),
        other_modes=("torch:eager", "torch:trace"),
        opened_by=("torch",),
        explain_form=explain_torchscript,
        module="torch",
        tasks=TASKS,
        is_cast=True,
    ),
    FileKind(
        name="exported-program",
        title="an exported program",
        suffix=".pt2",
        framework="torch",
        modes=("torch:eager", "torch:compile", "onnxruntime:session", "openvino:compiled"),
        other_modes=("torch:trace", "torch:compile-dynamic", "torch:compile-max-autotune", "torch:aot"),
        opened_by=("torch",),
        explain_form=explain_program,
        module="torch",
        tasks=TASKS,
        is_cast=True,
    ),
    FileKind(
        name="aoti-package",
        title="a package of AOTInductor",
        suffix=".pt2",
        framework="torch",
        modes=("torch:aot",),
        opened_by=("torch",),
        explain_form=explain_package,
        module="torch_package",
    ),
    FileKind(
        name="saved-model",
        title="a SavedModel",
        suffix="",
        framework="tensorflow",
        modes=("tensorflow:function", "tensorflow:xla"),
        other_modes=("tensorflow:eager",),
        opened_by=("tensorflow",),
        explain_form=explain_saved_model,
        module="tensorflow",
    ),
    FileKind(
        name="keras",
        title="a Keras model",
        suffix=".keras",
        framework="tensorflow",
        modes=("tensorflow:eager", "tensorflow:function", "tensorflow:xla"),
        other_modes=("tensorflow:session",),
        opened_by=("tensorflow",),
        explain_form=explain_keras,
        module="keras",
        tasks=TASKS,
        is_cast=True,
    ),
    FileKind(
        name="openvino-ir",
        title="a graph of OpenVINO",
        suffix=".xml",
        framework="openvino",
        modes=("openvino:compiled",),
        opened_by=("openvino",),
        explain_form=explain_intermediate,
        module="openvino",
    ),
    FileKind(
        name="tensorflow-lite",
        title="a TensorFlow Lite model",
        suffix=".tflite",
        framework="openvino",
        modes=("openvino:compiled",),
        opened_by=("openvino",),
        explain_form=explain_lite,
        module="openvino",
    ),
)


def find_kind(path: Path) -> FileKind | None:
    """Return the kind of model that a path names; None: it names no model file."""
    if path.is_dir():
        return get_kind("saved-model") if path.joinpath(GRAPH_FILE).is_file() else None
    kinds = [kind for kind in KINDS if kind.suffix and kind.suffix == path.suffix.lower()]
    # Where kinds share a suffix, the archive says which one it is.
    fitting = (kind for kind in kinds if len(kinds) == 1 or not kind.explain_form(path))
    return next(fitting, kinds[0] if kinds else None)


def get_kind(name: str) -> FileKind:
    """Return the kind of this name."""
    return next(kind for kind in KINDS if kind.name == name)


def explain_unreadable(path: Path, kind: FileKind) -> str:
    """Explain why a file cannot be the model that its name promises; empty if it may be."""
    if path.is_file():
        if not path.stat().st_size:
            return "it is empty; write the model again"
        if read_start(path, len(LFS_POINTER)) == LFS_POINTER:
            return "it is a pointer of Git LFS; fetch the file with git lfs pull"
    return kind.explain_form(path)


def read_start(path: Path, size: int) -> bytes:
    """Return the first bytes of a file."""
    with path.open("rb") as file:
        return file.read(size)


def list_members(path: Path) -> list[str]:
    """Return the names in a zip archive without their first folder; nothing if the file is none."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as whole:
        return [name.partition("/")[2] or name for name in whole.namelist()]


def list_files(path: Path) -> Iterator[Path]:
    """Yield the files that a model consists of: its own, or all of its folder, and the weights stored beside it."""
    if path.is_dir():
        yield from sorted(each for each in path.rglob("*") if each.is_file())
        return
    yield path
    beside = (each for each in path.parent.iterdir() if each.is_file() and each != path)
    # Writers of ONNX name the file for large weights net.onnx.data, net.onnx_data or net.data; OpenVINO net.bin.
    names = (f"{path.name}.data", f"{path.name}_data", f"{path.stem}.data", f"{path.stem}.bin")
    yield from sorted(each for each in beside if each.name in names)


def hash_files(path: Path, data: Path | None, *named: str) -> str:
    """Return sixteen hexadecimal digits of the SHA-256 of a model's files and of how it is named and fed.

    Raises:
        UnreadableCode: a file cannot be read.
    """
    whole = hashlib.sha256("\0".join(named).encode())
    named_files = [(file.relative_to(path.parent).as_posix(), file) for file in list_files(path)]
    try:
        for name, file in (*named_files, *([("data", data)] if data else [])):
            whole.update(f"\0{name}\0{file.stat().st_size}\0".encode())
            with file.open("rb") as content:
                while piece := content.read(PIECE):
                    whole.update(piece)
    except OSError as error:
        raise UnreadableCode(f"cannot read {error.filename}: {error.strerror}") from error
    return whole.hexdigest()[:16]
