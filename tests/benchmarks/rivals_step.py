"""Access for other tools to the exact callable that a worker times for a cell.

pyperf imports it in its setup: `from rivals_step import of; step, inputs = of(CELL)`, with the cell as JSON. As a
program, `python rivals_step.py CELL FILE`, it measures the cell with torch.utils.benchmark and pickles the measurement.
"""

import functools
import pickle
import sys
from pathlib import Path
from typing import Any

from schemas.job import Cell
from workers import frameworks, workloads
from workers.interfaces import Step
from workers.measurement.phases import Ledger
from workers.problem.problem import Problem
from workers.session import prepare_step

# Of weights and inputs, the same for every tool.
SEED = 7


@functools.cache  # pyperf runs its setup several times in a process, and some settings can be made once
def of(text: str) -> tuple[Step, tuple[Any, ...]]:
    """Return the step of a cell, and a set of inputs for it."""
    cell = Cell.model_validate_json(text)
    framework = frameworks.import_framework(cell.framework)(cell)
    framework.apply_settings()
    implementation = workloads.import_implementation(
        cell.workload, getattr(framework, "implementation", cell.framework)
    )
    problem = Problem(cell, SEED)
    model = framework.build(implementation, problem.weights)
    inputs = framework.arrays(problem.input_sets[0])
    return prepare_step(framework, model, inputs, problem.infer_axes(), Ledger(lambda _: None)), inputs


def main(text: str, file: str) -> None:
    """Measure one cell with torch's timer, as recommended for short calls."""
    from torch.utils.benchmark import Timer

    step, inputs = of(text)
    timer = Timer(
        "step(*inputs)",
        globals={"step": step, "inputs": inputs},
        label="pair",
        sub_label="step",
        description=Path(file).stem,
    )
    Path(file).write_bytes(pickle.dumps(timer.blocked_autorange()))


if __name__ == "__main__":
    main(*sys.argv[1:])
