"""An error in few words, and the place it came from."""

import traceback
from pathlib import Path

OUT_OF_MEMORY = {"MemoryError", "OutOfMemoryError", "ResourceExhaustedError"}
OUT_OF_MEMORY_SAID = (
    "can't allocate memory", "cannot allocate memory", "out of memory", "resource_exhausted",
    "failed to map segment from shared object",
)  # fmt: skip
OUR_OWN = Path(__file__).resolve().parent


def last_line(error: BaseException) -> str:
    """The type of an error and the last line of what it says: frameworks put traces before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last, kind = lines[-1] if lines else "", type(error).__name__
    return (last if last.startswith(f"{kind}:") else f"{kind}: {last}")[:300]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: Python's own, and what each framework makes of it."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = str(error).lower()
    return bool(kinds & OUT_OF_MEMORY) or any(phrase in said for phrase in OUT_OF_MEMORY_SAID)


def where(error: BaseException) -> str:
    """File and line of the innermost frame in a workload, or else in the worker."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(OUR_OWN)
    ]
    workload = [frame for frame in frames if "workloads" in Path(frame.filename).parts]
    chosen = (workload or frames)[-1:]
    return f"{chosen[0].filename}:{chosen[0].lineno}" if chosen else ""
