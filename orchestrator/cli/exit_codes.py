"""Exit codes of the commands."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Meaning of an exit code. A command with a negative answer uses the code of a sweep with failed jobs."""

    FINE = 0
    SOME_JOBS_FAILED = 1
    UNFIT = SOME_JOBS_FAILED  # `doctor`: this machine or its environments
    CHECK_FAILED = SOME_JOBS_FAILED  # `selftest`
    USAGE = 2
    GATE = 3
    INCONCLUSIVE = 4  # `compare --fail-on`: a gate could not be judged on any cell
    INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130
