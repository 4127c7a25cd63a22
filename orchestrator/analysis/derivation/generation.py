"""The times of the calls of a loop in one process, by position, and the memory that a loop needs. Pure."""

from dataclasses import dataclass

from schemas.event import Generation


@dataclass(frozen=True, slots=True)
class LoopCalls:
    """The fastest time of each call of a loop in nanoseconds, and the bytes between its first and its last call.

    `kept` is None where the kernel does not count them.
    """

    fastest_ns: tuple[int, ...]
    kept: int | None


def derive_generation(measured: Generation | None) -> LoopCalls | None:
    """Return the calls of a process's loops; None if its calls were no loops."""
    if measured is None:
        return None
    read = measured.anonymous
    fastest = tuple(map(min, zip(*measured.calls_ns, strict=True)))
    return LoopCalls(fastest, read[-1] - read[0] if read else None)
