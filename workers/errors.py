"""An error in few words, and the place it came from."""

import re
import traceback
from collections.abc import Iterator
from pathlib import Path

OUT_OF_MEMORY = {"MemoryError", "OutOfMemoryError", "ResourceExhaustedError"}
OUT_OF_MEMORY_SAID = (
    "can't allocate memory",
    "cannot allocate memory",
    "out of memory",
    "resource_exhausted",
    "failed to map segment from shared object",
)
OUR_OWN = Path(__file__).resolve().parent
WORKLOADS = OUR_OWN / "workloads"

SAID = re.compile(r'File "([^"\n]+)", line (\d+)')
QUOTED = "<--- HERE"
"""How TorchScript marks the place in the source that it quotes after the sentence."""

DYNAMO = "torch._dynamo"
"""Its errors begin with the sentence, and go on with advice."""

NAMED = re.compile(r"[A-Z]\w*(Error|Exception): ")
"""How a trace ends in which the error is quoted."""

NODE = re.compile(r"^\{\{[^}]*\}\} ")
"""The node of a graph that TensorFlow names before what is wrong with it."""

POINTING = ("See https://",)
"""Lines that say where to read more."""


class Malformed(Exception):
    """A workload is not as it has to be: the message says what to mend, and `place` where."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


def last_line(error: BaseException) -> str:
    """The type of an error and the line of what it says that tells it: the last, as frameworks put traces before it."""
    told = told_by(error)
    lines = [line.strip() for line in str(told).splitlines() if line.strip() and not line.startswith(POINTING)]
    kind = type(told).__name__
    named = [line for line in lines if NAMED.match(line)]
    quoting = any(line.endswith(QUOTED) for line in lines) or type(told).__module__.startswith(DYNAMO)
    line = (named or (lines[:1] if quoting else lines) or [""])[-1]
    line = line.removesuffix(":") if quoting else NODE.sub("", line)
    return (line if named else f"{kind}: {line}")[:300]


def told_by(error: BaseException) -> BaseException:
    """The error that another only wraps in explanations; most wrap none."""
    if type(error).__name__ != "TorchRuntimeError":
        return error
    return next((each for each in chain(error) if not type(each).__module__.startswith(DYNAMO)), error)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: Python's own, and what each framework makes of it."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = str(error).lower()
    return bool(kinds & OUT_OF_MEMORY) or any(phrase in said for phrase in OUT_OF_MEMORY_SAID)


def where(error: BaseException, *homes: Path) -> str:
    """File and line of the innermost place in the first of these folders that an error came through.

    Without folders: in one of our workloads, or else in the worker. Empty: it came through none.
    """
    if isinstance(error, Malformed):
        return error.place
    for folder in homes or (WORKLOADS, OUR_OWN):
        for each in chain(error):
            found = [place for place in places(each) if Path(place[0]).is_relative_to(folder)]
            if found:
                return "{}:{}".format(*found[-1])
    return ""


def is_beside(module: str, error: BaseException) -> bool:
    """Whether there is a file of this name beside the one that raised an error."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and module.isidentifier() and Path(frames[-1].filename).with_name(f"{module}.py").is_file()


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, then what it was raised from, or while handling."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def places(error: BaseException) -> Iterator[tuple[str, int]]:
    """The files and lines that an error came through, the innermost last.

    Where a framework compiles a workload, no frame is of its file. Then what the error says names the file and the
    line, as AutoGraph, TorchScript and Dynamo do, or the data that AutoGraph attaches to it, innermost first.
    """
    yield from ((frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__))
    if isinstance(error, SyntaxError) and error.filename:
        yield error.filename, error.lineno or 0
    said = "\n".join((str(error), *getattr(error, "__notes__", ())))
    yield from ((file, int(line)) for file, line in SAID.findall(said))
    attached = getattr(getattr(error, "ag_error_metadata", None), "translated_stack", ())
    yield from ((frame.filename, frame.lineno) for frame in reversed(attached))
