"""The files that a user's model consists of: its own, and all that it imports from its folder.

The orchestrator reads them to plan, and runs none of them. Both sides hash them, so that a model that is edited while
it is measured is noticed.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from schemas.code import MAX_BYTES, UnreadableCode
from schemas.model_files import hash_files
from schemas.models import ModelSource


def find_model_file(source: ModelSource) -> Path | None:
    """Return the Python file of a model; None if it is no code, or its module is not in the folder it imports from."""
    if source.kind:
        return None
    return Path(source.file) if source.file else find_module_file(Path(source.folder), source.module)


def find_module_file(folder: Path, module: str) -> Path | None:
    """Return the file of a module that is imported from this folder; None if it is not there."""
    place = folder.joinpath(*module.split("."))
    for file in (place.joinpath("__init__.py"), place.with_name(f"{place.name}.py")):
        if module and file.is_file():
            return file
    return None


def find_inputs_file(source: ModelSource) -> Path | None:
    """Return the file of a model's inputs function, if that is named; None if it is not in the model's folder."""
    place, _, _ = source.inputs_function.rpartition(":")
    return Path(place) if place.endswith(".py") else find_module_file(Path(source.folder), place)


def list_model_files(source: ModelSource) -> list[Path]:
    """Return the files of a model and of its inputs, and then those that they import from the model's folder."""
    folder = Path(source.folder)
    found = dict.fromkeys(filter(None, (find_model_file(source), find_inputs_file(source))))
    waiting = [*found]
    while waiting:
        imported = list_imported_files(waiting.pop(), folder)
        waiting += (new := [file for file in imported if file not in found])
        found |= dict.fromkeys(new)
    return [*found]


def list_imported_files(file: Path, folder: Path) -> list[Path]:
    """Return the files that a file imports from a folder; `import a.b` runs a/__init__.py, too."""
    names = (name.split(".") for name in list_imports(file, folder))
    packages = dict.fromkeys(".".join(parts[:end]) for parts in names for end in range(1, len(parts) + 1))
    found = (find_module_file(folder, each) for each in packages)
    return [each for each in found if each is not None]


def list_imports(file: Path, folder: Path) -> Iterator[str]:
    """Yield the full names of the modules that a file may import, as seen from the folder that it imports from."""
    package = file.relative_to(folder).parent.parts if file.is_relative_to(folder) else ()
    for node in ast.walk(parse_file(file)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = (*base, *((node.module,) if node.module else ()))
            # `from package import module` imports a module where there is one of this name.
            yield from (".".join((*stem, *name)) for name in ((), *((each.name,) for each in node.names)))


def parse_file(file: Path) -> ast.Module:
    """Parse a Python file without running it.

    Raises:
        UnreadableCode: it cannot be read, or is not Python.
    """
    try:
        return ast.parse(file.read_bytes(), str(file))
    except OSError as error:
        raise UnreadableCode(f"cannot read {file}: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise UnreadableCode(f"{file}{line} is not valid Python: {reason}") from error


def hash_model_code(source: ModelSource) -> str:
    """Return sixteen hexadecimal digits of the SHA-256 of a model's files and of how it is named and fed.

    Raises:
        UnreadableCode: a file cannot be read, or all together are too large.
    """
    if source.kind:
        named = (source.attribute, source.labels, "sibling" * source.is_sibling, *source.inputs)
        return hash_files(Path(source.file), Path(source.data) if source.data else None, *named)
    whole, size = hashlib.sha256(), 0
    said = [source.module, source.attribute, *source.inputs, *filter(None, [source.inputs_function])]
    if source.test is not None:
        said.append(source.test.node)
    whole.update("\0".join(said).encode())
    for file in list_model_files(source):
        content = file.read_bytes()
        size += len(content)
        if size > MAX_BYTES:
            raise UnreadableCode(f"{source.title} imports more than {MAX_BYTES >> 20} MiB of code from {source.folder}")
        place = file.relative_to(source.folder) if file.is_relative_to(source.folder) else Path(file.name)
        whole.update(f"\0{place.as_posix()}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:16]
