"""Exit codes."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code says."""

    FINE = 0
    SOME_JOBS_FAILED = 1
    UNFIT = SOME_JOBS_FAILED  # the same code, said of the machine
    FELL_SHORT = SOME_JOBS_FAILED  # and of the instrument
    USAGE = 2
    GATE = 3
    OWN_FAULT = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130
