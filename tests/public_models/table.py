"""Measure models of public libraries in each mode, and print a table: what runs, how fast against eager, or why not.

    python -m tests.public_models.table RESULTS.jsonl [NAME ...]
    python -m tests.public_models.table --report RESULTS.jsonl

Each model is measured by two commands, `forward` in all modes and then gradients and training in few, in the
environment that runs this program. Its time includes everything: the expected results, exports, one process for each
mode, and the comparison. A model is skipped where its packages are not installed.
"""

import argparse
import ast
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from orchestrator.format import format_duration

FOLDER = Path(__file__).resolve().parent

# The tasks of each command, with the modes for a package that a model's file imports.
COMMANDS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "forward": {
        "torch": ("torch:eager", "torch:trace", "torch:script", "torch:compile", "onnxruntime", "openvino"),
        "keras": ("tensorflow:eager", "tensorflow:function", "tensorflow:xla"),
        "jax": ("jax:eager", "jax:jit"),
    },
    "backward,train-adam": {
        "torch": ("torch:eager", "torch:trace"),
        "keras": ("tensorflow:eager", "tensorflow:function"),
        "jax": ("jax:eager", "jax:jit"),
    },
}
KINDS = ("torch", "keras", "jax")
Result = dict[str, Any]


def list_models() -> list[str]:
    """Return the names of all models."""
    own = {"__init__", "table", "conftest"}
    return sorted(
        file.stem for file in FOLDER.glob("*.py") if file.stem not in own and not file.stem.startswith("test_")
    )


def list_packages(name: str) -> Iterator[str]:
    """Yield the packages that a model's file imports."""
    for node in ast.parse(FOLDER.joinpath(f"{name}.py").read_text()).body:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def list_missing(name: str) -> list[str]:
    """Return the packages of a model that are not installed."""
    return [package for package in list_packages(name) if find_spec(package) is None]


def get_kind(name: str) -> str:
    """Return what decides the modes of a model: the package that its file is written for."""
    return next(package for package in list_packages(name) if package in KINDS)


def count_lines(name: str) -> int:
    """Count the lines of a model's file that its user has written, without the docstring and empty lines."""
    lines = FOLDER.joinpath(f"{name}.py").read_text().splitlines()
    return sum(1 for line in lines if line.strip() and not line.startswith('"""'))


def measure_model(name: str, tasks: str, modes: Sequence[str]) -> tuple[Mapping[str, Any], float]:
    """Measure a model once in each mode; return the document of the run, and how long it took in seconds."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "orchestrator", "sweep", "--model", str(FOLDER / f"{name}.py"), "--runs", runs]
        command += ["--tasks", tasks, "--frameworks", ",".join(modes), "--env", "current"]
        command += ["--blocks", "1", "--budget", "1h", "--no-report", "--json"]
        start = time.monotonic()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        took_s = time.monotonic() - start
    if not done.stdout:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout), took_s


def list_cells(document: Mapping[str, Any]) -> Iterator[Result]:
    """Yield the task, the mode, the outcome, its reason and the time of each cell of a run."""
    for group in document["groups"]:
        for found in group["cells"]:
            cell = found["cell"]
            if not cell["replica"]:
                time_ns = found["floor_ns"] and found["floor_ns"]["estimate"]
                mode = f"{cell['framework']}:{cell['mode']}"
                said = {key: found[key] for key in ("outcome", "reason")}
                yield {"task": cell["task"], "mode": mode, "time_ns": time_ns, **said}


def measure_all(names: Sequence[str], results: Path) -> None:
    """Measure models, and append a line for each to the results."""
    for name in names:
        if missing := list_missing(name):
            print(f"{name}: {', '.join(missing)} not installed", file=sys.stderr)
            continue
        found: Result = {"name": name, "kind": get_kind(name), "lines": count_lines(name), "took_s": 0.0, "cells": []}
        for tasks, modes in COMMANDS.items():
            document, took_s = measure_model(name, tasks, modes[found["kind"]])
            found["took_s"] += took_s
            found["cells"] += list_cells(document)
        with results.open("a") as file:
            file.write(json.dumps(found) + "\n")


def print_report(found: Sequence[Result]) -> None:
    """Print a table for each kind of model, then the reasons of all that was not measured."""
    for kind in KINDS:
        rows = [each for each in found if each["kind"] == kind]
        if not rows:
            continue
        columns = [
            (task, mode) for tasks, modes in COMMANDS.items() for task in tasks.split(",") for mode in modes[kind]
        ]
        heads = [f"{task}: {mode.rpartition(':')[2]}" for task, mode in columns]
        print(f"| model | lines | {' | '.join(heads)} | minutes |\n|{'---|' * (len(heads) + 3)}")
        for row in rows:
            shown = [describe_cell(row["cells"], task, mode) for task, mode in columns]
            print(f"| `{row['name']}` | {row['lines']} | {' | '.join(shown)} | {row['took_s'] / 60:.1f} |")
        print()
    for row in found:
        for cell in row["cells"]:
            if cell["outcome"] != "measured":
                print(f"- `{row['name']}` {cell['mode']} {cell['task']}: {cell['outcome']}: {cell['reason']}")


def describe_cell(cells: Sequence[Result], task: str, mode: str) -> str:
    """Return the time of eager mode, the ratio of another mode to it, or the outcome."""
    known = {cell["mode"]: cell for cell in cells if cell["task"] == task}
    none: Result = {"outcome": "not measured"}
    cell = next((each for name, each in known.items() if f"{name}:".startswith(f"{mode}:")), none)
    eager = next((each for name, each in known.items() if name.endswith(":eager")), none)
    if cell["outcome"] != "measured":
        return str(cell["outcome"])
    if cell["mode"].endswith(":eager"):
        return format_duration(cell["time_ns"])
    return f"{cell['time_ns'] / eager['time_ns']:.2g}" if eager["outcome"] == "measured" else "measured"


def main() -> None:
    """Measure or print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help="print what the results say")
    parser.add_argument("results", type=Path)
    parser.add_argument("names", nargs="*")
    said = parser.parse_args()
    if said.report:
        print_report([json.loads(line) for line in said.results.read_text().splitlines()])
    else:
        measure_all(said.names or list_models(), said.results)


if __name__ == "__main__":
    main()
