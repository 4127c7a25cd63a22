"""The files of a publication, read into memory once, so that what is checked is what is used.

A publication comes from an untrusted source. No link is followed, only regular files of the known names are read, and
their number and sizes are bounded.
"""

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from orchestrator.export.publication.neutral import CODE_FOLDER
from orchestrator.files.atomic import MAX_FILE_BYTES, decompress_bytes, join_number_lines, open_regular
from orchestrator.records.store import COMPRESSED, JOB_NAME, JOBS, MANIFEST, PAGE, SWEEP_FILE
from schemas.base import Model
from schemas.code import WORKLOAD_FILE

M = TypeVar("M", bound=Model)

DESCRIPTION: Final = "publication.json"
PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
# The first bytes of a gzip file without a name, a comment, an extra field or a time.
PLAIN_GZIP: Final = b"\x1f\x8b\x08" + bytes(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The largest publication that is read: entries, folders within each other, and bytes of all files together."""

    entries: int = 20_000
    depth: int = 12
    total_bytes: int = 512 << 20


BOUNDS: Final = Bounds()
TOO_LARGE: Final = f"is too large: a file has at most {MAX_FILE_BYTES >> 20} MiB"

# Earlier versions kept a table of what was derived of the records beside them. It is left unread.
OLD_INDEX: Final = ".processes.arrow"


class Refusal(Exception):
    """The reason why a publication is not admitted, in one sentence."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of one publication, by their path in its folder."""

    name: str
    files: Mapping[str, bytes]

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            Refusal: it is not there.
        """
        if name not in self.files:
            raise Refusal(f"{name} is missing")
        return self.files[name]

    def get_plain(self, name: str) -> bytes:
        """Return the content of a file, decompressed if need be.

        Raises:
            Refusal: it is missing or damaged.
        """
        content = self.read_bytes(name)
        if name.endswith(".gz") and not content.startswith(PLAIN_GZIP):
            raise Refusal(f"{name} is not compressed as Plumbline does it: its header holds more than it needs")
        try:
            return decompress_bytes(content) if name.endswith(".gz") else content
        except ValueError as error:
            raise Refusal(f"{name} {error}") from error

    def check_form(self, name: str, model: Model) -> None:
        """Check that a file holds what Plumbline writes of a document, and not a byte more.

        A parser reads over what is there twice, and over spaces: nothing else checks those bytes.

        Raises:
            Refusal: it holds something else.
        """
        # An earlier version did not have all fields.
        if self.get_plain(name) != format_model(model, is_partial=True):
            raise Refusal(f"{name} is not written as Plumbline writes it; publish the run again")

    def read_json(self, name: str) -> object:
        """Return the content of a JSON file.

        Raises:
            Refusal: it is missing, damaged or not JSON.
        """
        content = self.get_plain(name)
        try:
            return from_json(content, allow_inf_nan=False)
        except ValueError as error:
            raise Refusal(f"{name} is not JSON: {error}") from error

    def parse_file(self, name: str, kind: type[M]) -> tuple[M, object]:
        """Return the content of a JSON file as a document of this kind, and as it is written.

        Raises:
            Refusal: it is missing, or not such a document.
        """
        document = self.read_json(name)
        try:
            return kind.model_validate(document), document
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the whole"
            raise Refusal(f"{name} is not valid: {place}: {first['msg']}") from error

    @property
    def record_names(self) -> list[str]:
        """Return the names of the files of its records."""
        return sorted(name for name in self.files if name.startswith(f"{JOBS}/"))


def format_model(model: Model, *, is_partial: bool = False) -> bytes:
    """Return a document as the text of its file. `is_partial`: without the fields that it did not have when read."""
    return f"{join_number_lines(model.model_dump_json(indent=1, exclude_unset=is_partial))}\n".encode()


def read_contents(folder: Path, bounds: Bounds = BOUNDS) -> Contents:
    """Read all files of a publication.

    Raises:
        Refusal: it has a link, a special file, an unknown or too large file, or cannot be read.
    """
    found, total = dict[str, bytes](), 0
    if folder.is_symlink():
        raise Refusal("it is a symbolic link, which no publication has; copy the folder itself")
    try:
        for path in walk_files(folder, bounds):
            name = path.relative_to(folder).as_posix()
            if not is_known_name(name):
                raise Refusal(f"{name!r} is no file of a publication; remove it")
            with open_regular(path) as file:
                content = file.read(MAX_FILE_BYTES + 1)
            total += len(content)
            if len(content) > MAX_FILE_BYTES or total > bounds.total_bytes:
                raise Refusal(
                    f"{name} is too large: a file has at most {MAX_FILE_BYTES >> 20} MiB, and all together "
                    f"{bounds.total_bytes >> 20} MiB"
                )
            found[name] = content
    except OSError as error:
        raise Refusal(f"{error.filename or folder} cannot be read: {error.strerror}") from error
    return Contents(folder.absolute().name, found)


def check_bounds(files: Mapping[str, bytes], bounds: Bounds = BOUNDS) -> None:
    """Check that files may be read again once they are written.

    Raises:
        Refusal: there are too many, or they are too large or too deep.
    """
    folders = {parent for name in files for parent in PurePosixPath(name).parents[:-1]}
    if len(files) + len(folders) > bounds.entries or any(name.count("/") > bounds.depth for name in files):
        raise Refusal(describe_many(bounds))
    if large := next((name for name, content in files.items() if len(content) > MAX_FILE_BYTES), None):
        raise Refusal(f"{large!r} {TOO_LARGE}")
    if (total := sum(map(len, files.values()))) > bounds.total_bytes:
        raise Refusal(f"its files have {total >> 20} MiB, and all together may have {bounds.total_bytes >> 20} MiB")


def describe_many(bounds: Bounds) -> str:
    """Return what is wrong with too many files."""
    return f"it has more than {bounds.entries} files, or folders deeper than {bounds.depth}"


def walk_files(folder: Path, bounds: Bounds, depth: int = 0, seen: list[int] | None = None) -> Iterator[Path]:
    """Yield the regular files in a folder and below it, in a fixed order.

    Raises:
        Refusal: there is a link or a special file, a file is too large, or there are too many.
    """
    seen = [0] if seen is None else seen
    for path in sorted(folder.iterdir()):
        seen[0] += 1
        if seen[0] > bounds.entries or depth > bounds.depth:
            raise Refusal(describe_many(bounds))
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            yield from walk_files(path, bounds, depth + 1, seen)
        elif not stat.S_ISREG(found.st_mode):
            what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "a special file"
            raise Refusal(f"{path.name!r} is {what}, which no publication has; remove it")
        elif depth == 0 and path.name == OLD_INDEX:
            continue  # what a reader has made of the records for itself: no part of the publication, and never read
        elif found.st_size > MAX_FILE_BYTES:
            raise Refusal(f"{path.name!r} {TOO_LARGE}")
        else:
            yield path


def is_known_name(name: str) -> bool:
    """Return whether a publication may have a file of this name."""
    folder, _, rest = name.partition("/")
    if name in (MANIFEST, SWEEP_FILE, PAGE, DESCRIPTION):
        return True
    if folder == JOBS:
        return rest.endswith(COMPRESSED) and JOB_NAME.fullmatch(rest.removesuffix(COMPRESSED)) is not None
    return folder == CODE_FOLDER and is_code_name(rest)


def is_code_name(name: str) -> bool:
    """Return whether schemas/code.py would list a file of this name, within the folder of a workload.

    Any other file, such as a page with a script, would be served by the site without having been measured.
    """
    workload, *inner = name.split("/")
    if not inner or not all(map(PLAIN_NAME.fullmatch, (workload, *inner))):
        return False
    *folders, file = inner
    is_listed = file == WORKLOAD_FILE or file.endswith(".py")
    return is_listed and all(folder.isidentifier() and folder != "__pycache__" for folder in folders)
