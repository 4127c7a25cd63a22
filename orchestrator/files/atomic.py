"""Files that are written whole or not at all, and read with a bound on their size."""

import contextlib
import errno
import gzip
import os
import re
import secrets
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from pydantic import ValidationError

from orchestrator.errors import NewerVersion, UsageError
from orchestrator.files.lock import lock_new, remove_if_abandoned
from schemas.base import SCHEMA_VERSION, Model

M = TypeVar("M", bound=Model)


# Bytes of a file of a run, at most: as many as a worker may send.
MAX_FILE_BYTES = 64 << 20

# A list of numbers over several lines. No text can look like it: JSON escapes the line breaks of texts.
NUMBER_LIST = re.compile(r"\[\n[\s\d.,eE+-]+\]")


def write_model(path: Path, model: Model) -> None:
    """Write a document to a file, completely or not at all."""
    write_text(path, join_number_lines(model.model_dump_json(indent=1)))


def join_number_lines(text: str) -> str:
    """Put each list of numbers of an indented JSON document on one line, for whoever reads it."""
    return NUMBER_LIST.sub(lambda found: f"[{' '.join(found[0][1:-1].split())}]", text)


def write_text(path: Path, text: str) -> None:
    """Write a text to a file, completely or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes to a file, completely or not at all. Several processes may do so at once: the last one prevails."""
    write_file(path, lambda file: file.write(content))


def write_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file, completely or not at all, by a function that writes its content to the file that it is given."""
    remove_abandoned_parts(path)
    replace_file(path, write)


def replace_bytes(path: Path, content: bytes) -> None:
    """Write bytes as `write_bytes` does, in the same time however many files the folder has.

    Files that killed writers left beside it stay there.
    """
    replace_file(path, lambda file: file.write(content))


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file by a function, completely or not at all, and leave alone what killed writers left beside it."""
    with open_part(path) as file:
        part = Path(file.name)
        try:
            write(file)
            file.flush()
            os.fsync(file.fileno())  # or a power loss could leave an empty file
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    # After a power loss a rename persists only if its folder was flushed too.
    sync_folder(path.parent)


def open_part(path: Path) -> IO[bytes]:
    """Create a file beside another for its next content. Its writer alone uses it, and locks it while it lives."""
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        with contextlib.suppress(FileExistsError):
            file = part.open("xb")  # "x": never through a link that stands in this place
            if lock_new(file.fileno(), part):
                return file
            file.close()


def remove_abandoned_parts(path: Path) -> None:
    """Remove what killed writers of a file left beside it."""
    own = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.part")
    for name in filter(own.fullmatch, os.listdir(path.parent)):  # noqa: PTH208 (a name in a folder of many records)
        remove_if_abandoned(path.with_name(name), Path.unlink)


def remove_abandoned(folder: Path) -> None:
    """Remove the parts of files that killed writers left in a folder."""
    for path in folder.glob(".*.part"):
        remove_if_abandoned(path, Path.unlink)


def sync_folder(folder: Path) -> None:
    """Flush a folder's new names to disk, where the file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file of a run, but no link, pipe or device.

    Raises:
        OSError: there is no such file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)  # fdopen() would leave the descriptor of a folder open
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_last_bytes(path: Path, count: int) -> bytes:
    """Read the end of a regular file of a run.

    Raises:
        OSError: there is no such file.
    """
    with open_regular(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - count))
        return file.read()


def read_limited_bytes(path: Path) -> bytes:
    """Read a regular file of a run; one that ends in `.gz` is decompressed.

    Raises:
        OSError: there is no such file.
        UsageError: it is too large, or damaged.
    """
    with open_regular(path) as file:
        # One byte beyond the limit reveals a larger file without reading all of it.
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB, the most for a file of a run")
    if path.suffix != ".gz":
        return content
    try:
        return decompress_bytes(content)
    except ValueError as error:
        raise UsageError(f"{path} {error}") from error


def compress_bytes(content: bytes) -> bytes:
    """Return bytes in the format of gzip. The same bytes give the same file: it states no time."""
    return gzip.compress(content, 9, mtime=0)


def decompress_bytes(content: bytes) -> bytes:
    """Return the bytes of one gzip file.

    Raises:
        ValueError: they are damaged, or more than a file of a run may have.
    """
    reader = zlib.decompressobj(wbits=31)
    try:
        # Bounded, because a few kilobytes can hold gigabytes.
        plain = reader.decompress(content, MAX_FILE_BYTES + 1)
    except zlib.error as error:
        raise ValueError("is not a gzip file") from error
    if len(plain) > MAX_FILE_BYTES:
        raise ValueError(f"holds more than {MAX_FILE_BYTES >> 20} MiB, the most for a file of a run")
    if not reader.eof or reader.unused_data:
        raise ValueError("is not one complete gzip file")
    return plain


def read_model(path: Path, kind: type[M], upgrade: Callable[[bytes], object] = lambda _: None) -> M:
    """Read and validate a file of a run. `upgrade` converts the content of an older file; None: it is not older.

    Raises:
        NewerVersion: the file states a newer schema version.
        UsageError: the file is missing or invalid.
    """
    try:
        return parse_model(read_limited_bytes(path), kind, upgrade)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        kind_of_error = NewerVersion if is_newer(error) else UsageError
        raise kind_of_error(f"{path} is not a file of this version: {place}: {first['msg']}") from error


def is_newer(error: ValidationError) -> bool:
    """Return whether a document is invalid because it, or a part of it, states a newer schema version."""
    stated = [each["input"] for each in error.errors() if each["loc"][-1:] == ("schema_version",)]
    return any(isinstance(version, int) and version > SCHEMA_VERSION for version in stated)


def parse_model(content: bytes, kind: type[M], upgrade: Callable[[bytes], object]) -> M:
    """Validate a document in its current form, or else in the one that `upgrade` returns.

    Raises:
        ValidationError: it has neither.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError:
        # Without a conversion the first error stands, because it names the place in the current form.
        if (converted := upgrade(content)) is None:
            raise
    return kind.model_validate(converted)
