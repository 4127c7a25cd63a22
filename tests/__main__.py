"""The suite that a change must pass: `python -m tests`.

    python -m tests                  # first in parallel what measures nothing, then one at a time what measures
    python -m tests --long           # the tests marked `long`, with a sample of their cases, in the same two steps
    python -m tests --exhaustive     # all other cases of those
    python -m pytest -m public       # models of public libraries, where they are installed: in neither of the two
    python -m tests -x tests/workers # other arguments go to pytest

The exit code is that of the first step that fails.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

Call = Callable[[Sequence[str]], int]

# A file stays in one process, because its tests share what a fixture of the module or session has made.
PARALLEL = ("-n", "2", "--dist", "loadfile")
SUITES = {"--long": "long and not exhaustive", "--exhaustive": "exhaustive"}
FINE = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def make_steps(arguments: Sequence[str]) -> list[list[str]]:
    """Return pytest's arguments for each step."""
    rest = [argument for argument in arguments if argument not in SUITES]
    suite = next((SUITES[argument] for argument in arguments if argument in SUITES), "not long")
    chosen = f"{suite} and not public"
    return [[*PARALLEL, "-m", f"{chosen} and not measures", *rest], ["-m", f"{chosen} and measures", *rest]]


def run_steps(arguments: Sequence[str], call: Call = subprocess.call) -> int:
    """Run every step, and return the first exit code that is not fine. A step may select no test if the other does."""
    codes = [call([sys.executable, "-m", "pytest", *step]) for step in make_steps(arguments)]
    return next((code for code in codes if code not in FINE), min(codes))


if __name__ == "__main__":
    sys.exit(run_steps(sys.argv[1:]))
