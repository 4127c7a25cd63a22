"""Summaries of errors, and the places they came from."""

import itertools
import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

# Frameworks report a failed allocation with types and messages that differ from Python's.
OUT_OF_MEMORY_TYPES = {"MemoryError", "OutOfMemoryError", "ResourceExhaustedError"}
OUT_OF_MEMORY_PHRASES = (
    "can't allocate memory",
    "cannot allocate memory",
    "out of memory",
    "resource_exhausted",
    "failed to map segment from shared object",
)
# A stack frame belongs to the worker if its file is below this folder.
WORKER_FOLDER = Path(__file__).resolve().parent
WORKLOADS_FOLDER = WORKER_FOLDER / "workloads"

QUOTED_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')

# TorchScript quotes the source after its message, and marks the place like this.
TORCHSCRIPT_MARK = "<--- HERE"

# Errors of this module begin with the message and continue with advice.
DYNAMO_MODULE = "torch._dynamo"

# The last line of a quoted traceback.
ERROR_LINE = re.compile(r"[A-Z]\w*(Error|Exception): ")

# TensorFlow names the node of a graph before the message.
NODE_PREFIX = re.compile(r"^\{\{[^}]*\}\} ")

# Or it comes before the node, with a number if there are several errors. What follows is where the node was made.
NODE_LINE = "[[{{node "
ROOT_ERROR = re.compile(r"^\(0\) [A-Z_]+: +")

# XLA's compiler ends with this what it has begun with its message.
XLA_LINE = "tf2xla conversion failed"

# The address of an object, which is another in every process.
ADDRESS = re.compile(r" at 0x[0-9a-f]+")

# Lines that only link to documentation.
LINK_PREFIXES = ("See https://",)


class Malformed(Exception):
    """A workload breaks the contract: the message says what to fix, and `place` where."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


def summarise_error(error: BaseException) -> str:
    """Return the type of an error and the telling line of its message: the last, as frameworks put traces first."""
    told = unwrap_error(error)
    lines = list_message_lines(told)
    named = [line for line in lines if ERROR_LINE.match(line)]
    if quotes_source(told, lines):
        line = (named or lines[:1] or [""])[-1].removesuffix(":")
    else:
        line = named[-1] if named else find_telling_line(lines)
    return ADDRESS.sub("", line if named else f"{type(told).__name__}: {line}")[:300]


def find_telling_line(lines: Sequence[str]) -> str:
    """Return what a message says among traces: its last line, the first of XLA's, a node's, or an object's lines."""
    last = lines[-1] if lines else ""
    if any(line.startswith(XLA_LINE) for line in lines):
        return lines[0]
    for line, after in itertools.pairwise(lines):
        if after.startswith(NODE_LINE):
            return ROOT_ERROR.sub("", line)
    # An object that is told in several lines ends with a parenthesis that it has begun with.
    return " ".join(lines) if last.count(")") > last.count("(") else NODE_PREFIX.sub("", last)


def list_message_lines(error: BaseException) -> list[str]:
    """Return the lines of a message, without empty ones and links."""
    return [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith(LINK_PREFIXES)]


def quotes_source(error: BaseException, lines: Iterable[str]) -> bool:
    """Return whether an error begins with its message, and continues with source or advice."""
    return type(error).__module__.startswith(DYNAMO_MODULE) or any(line.endswith(TORCHSCRIPT_MARK) for line in lines)


def unwrap_error(error: BaseException) -> BaseException:
    """Return the cause of an error that only wraps it in explanations; most errors are returned as they are."""
    if type(error).__name__ != "TorchRuntimeError":
        return error
    return next((each for each in walk_causes(error) if not type(each).__module__.startswith(DYNAMO_MODULE)), error)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, in Python or in any framework."""
    # By name: importing a framework for its exception types would cost seconds and memory.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = str(error).lower()
    return bool(kinds & OUT_OF_MEMORY_TYPES) or any(phrase in said for phrase in OUT_OF_MEMORY_PHRASES)


def locate_error(error: BaseException, *homes: Path) -> str:
    """Return file and line of the innermost place in the first of these folders that an error passed through.

    Without folders, search the built-in workloads, then the worker. Empty: the error passed through none.
    """
    if isinstance(error, Malformed):
        return error.place
    for folder in homes or (WORKLOADS_FOLDER, WORKER_FOLDER):
        for each in walk_causes(error):
            found = [place for place in list_places(each) if is_in_folder(Path(place[0]), folder)]
            if found:
                return "{}:{}".format(*found[-1])
    return ""


def is_in_folder(file: Path, folder: Path) -> bool:
    """Return whether a file is below a folder, and in no environment there."""
    return file.is_relative_to(folder) and "site-packages" not in file.relative_to(folder).parts


def is_sibling_module(module: str, error: BaseException) -> bool:
    """Return whether a file with this name is in the folder of the file that raised the error."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and module.isidentifier() and Path(frames[-1].filename).with_name(f"{module}.py").is_file()


def walk_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, then each error that it was raised from, or raised while handling."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def list_places(error: BaseException) -> Iterator[tuple[str, int]]:
    """Yield the files and lines that an error passed through, the innermost last.

    A compiled workload leaves no frame. AutoGraph, TorchScript and Dynamo then name file and line in the
    message, or AutoGraph attaches them to the error, innermost first.
    """
    yield from ((frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__))
    if isinstance(error, SyntaxError) and error.filename:
        yield error.filename, error.lineno or 0
    said = "\n".join((str(error), *getattr(error, "__notes__", ())))
    yield from ((file, int(line)) for file, line in QUOTED_FRAME.findall(said))
    attached = getattr(getattr(error, "ag_error_metadata", None), "translated_stack", ())
    yield from ((frame.filename, frame.lineno) for frame in reversed(attached))


class Unsupported(Exception):
    """A configuration that cannot be run; the message says why."""


class Wrong(Exception):
    """A configuration found wrong before it has a time that could be withdrawn; the message says why."""
