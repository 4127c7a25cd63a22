"""Print a table of models and modes: what runs, how fast against eager, or why not.

    python -m tests.public_models.table [--tasks TASKS] [--frameworks MODES] NAME ...

Each model is measured by one command in the environment that runs this program. Its time includes everything: the
expected results, exports, one process for each mode, and the comparison.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
MODES = "torch:eager,torch:trace,torch:script,torch:compile,torch:aot,onnxruntime,openvino"


def list_models() -> list[str]:
    """Return the names of all models."""
    own = {"__init__", "table", "conftest"}
    return sorted(
        file.stem for file in FOLDER.glob("*.py") if file.stem not in own and not file.stem.startswith("test_")
    )


def count_lines(name: str) -> int:
    """Count the lines of a model's file that its user has written, without the docstring and empty lines."""
    lines = FOLDER.joinpath(f"{name}.py").read_text().splitlines()
    return sum(1 for line in lines if line.strip() and not line.startswith('"""'))


def measure_model(name: str, options: Sequence[str]) -> tuple[Mapping[str, Any], float]:
    """Measure a model once in each mode; return the document of the run, and how long it took in seconds."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "orchestrator", "sweep", "--model", str(FOLDER / f"{name}.py"), "--runs", runs]
        start = time.monotonic()
        done = subprocess.run(
            [*command, "--env", "current", "--blocks", "1", "--budget", "1h", "--no-report", "--json", *options],
            check=False,
            capture_output=True,
            text=True,
        )
        took_s = time.monotonic() - start
    if not done.stdout:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout), took_s


def list_rows(name: str, document: Mapping[str, Any], took_s: float) -> Iterator[Sequence[str]]:
    """Yield a row for each task: the time of each mode over that of the first, or its outcome and the reason."""
    for group in document["groups"]:
        times = {cell["mode"]: cell["floor_ns"]["estimate"] for cell in group["cells"] if cell["outcome"] == "measured"}
        first = next(iter(times.values()), None)
        shown = []
        for cell in group["cells"]:
            if "(A/A)" not in cell["label"]:
                known = times.get(cell["mode"])
                told = f"{known / first:.2f}" if known and first else f"{cell['outcome']}: {cell['reason']}"
                shown.append(f"{cell['label']} {told}")
        yield name, str(count_lines(name)), group["cells"][0]["task"], "; ".join(shown), f"{took_s / 60:.1f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default="forward")
    parser.add_argument("--frameworks", default=MODES)
    parser.add_argument("names", nargs="*")
    said = parser.parse_args()
    for name in said.names or list_models():
        found = measure_model(name, ["--tasks", said.tasks, "--frameworks", said.frameworks])
        for row in list_rows(name, *found):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
