"""Exit codes."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Meaning of a command's exit code."""

    FINE = 0
    SOME_JOBS_FAILED = 1
    UNFIT = SOME_JOBS_FAILED  # the same code, about the machine
    FELL_SHORT = SOME_JOBS_FAILED  # and about this program
    USAGE = 2
    GATE = 3
    OWN_FAULT = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130
