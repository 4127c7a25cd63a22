"""Every workload in one framework, in one process: `python -m tests.workers.implementations torch`.

A framework with several backends has a name for each, as of its file: `keras_torch`.

Prints one JSON object a line for each cell: its outcome, and the reason if it differs from the reference on two sets
of inputs or on other shapes. One job per cell would import the framework hundreds of times.
"""

import json
import sys
import time
from collections.abc import Iterator

from schemas.job import OWN_TRAINING, TRAINING_TASKS, Cell, Task
from schemas.judging import BEGINNING, SET
from schemas.workloads import WORKLOADS
from workers import errors, frameworks, interfaces, workloads
from workers.errors import summarise_error
from workers.measurement.generation import repeat_calls
from workers.measurement.phases import Ledger
from workers.session import prepare_step

# Workloads have no optimisers of their own.
TRAINING = tuple(task for task in TRAINING_TASKS if task != OWN_TRAINING)
MODES: dict[str, dict[str, tuple[Task, ...]]] = {
    "torch": {
        "eager": ("forward", "backward", *TRAINING),
        "trace": ("forward", "backward"),
        "script": ("backward", "forward"),  # a class is compiled once, with what was exported until then
    },
    # AdamW differs from Adam in one term, which the contract of each framework checks.
    "tensorflow": {"eager": ("forward", "backward"), "function": ("forward", "backward", "train-sgd", "train-adam")},
    "jax": {"jit": ("forward", "backward", "train-sgd", "train-adam")},
    # Layers are the same ones in all modes of a backend; the contract of each framework tries the others.
    "keras_torch": {"torch": ("forward", "backward", "train-sgd", "train-adam")},
    "keras_tensorflow": {"tensorflow": ("forward", "backward", "train-adam")},
    "keras_jax": {"jax-jit": ("forward", "backward", "train-adam")},
    "numba": {"njit": ("forward", "backward"), "njit-parallel": ("forward", "backward")},
    "tinygrad": {"lazy": ("forward", "backward"), "jit": ("forward", "backward")},
}
BATCH = 3


def cells(name: str) -> Iterator[Cell]:
    """Yield each workload at its default sizes, in each mode and task."""
    framework = name.partition("_")[0]
    for workload in WORKLOADS:
        sizes = {size.name: size.default for size in workload.parameters}
        for mode, tasks in MODES[name].items():
            for task in tasks if workload.name != "synthetic" else ():
                if workload.loop and task != "forward":
                    continue  # a loop has no gradients
                yield Cell(
                    framework=framework, mode=mode, workload=workload.name, parameters=sizes, task=task, batch=BATCH
                )


def verdict(kind: type[interfaces.Framework], cell: Cell) -> str:
    """Return why a cell does not compute what it should; empty if it does."""
    from workers.problem.problem import Problem

    loop = next(known.count_calls(cell.parameters) for known in WORKLOADS if known.name == cell.workload)
    framework, problem = kind(cell), Problem(cell, 7, loop=loop)
    model = framework.build(workloads.import_implementation(cell.workload, cell.framework), problem.weights)
    example = framework.arrays(problem.input_sets[0])
    prepared = prepare_step(framework, model, example, problem.infer_axes(), Ledger(lambda _: None))
    step = repeat_calls(framework, prepared, loop)
    cases = problem.list_cases()
    chosen = (
        [BEGINNING] * problem.is_training + [*problem.new_shapes] + [f"{SET}0", f"{SET}1"] * (not problem.is_training)
    )
    for case in chosen:
        try:
            results = problem.compute_results(framework, step, *cases[case])
        except Exception as error:
            if case not in problem.new_shapes:
                raise
            return problem.explain_error(case, summarise_error(error)).reason
        if reason := problem.check_case(case, results, "here").reason:
            return reason
    return ""


def tried(kind: type[interfaces.Framework], cell: Cell) -> dict[str, object]:
    """Run a cell, and return its outcome and the reason."""
    begin, outcome, reason = time.perf_counter(), "right", ""
    try:
        reason = verdict(kind, cell)
        outcome = "wrong" if reason else "right"
    except errors.Unsupported as error:
        outcome, reason = "unsupported", str(error)
    except Exception as error:  # whatever a framework raises is the finding
        outcome, reason = "raised", summarise_error(error)
    name = f"{cell.framework}:{cell.mode} {cell.workload} {cell.task}"
    return {"name": name, "outcome": outcome, "reason": reason, "seconds": time.perf_counter() - begin}


def main(name: str, *only: str) -> None:
    """Run all cells, or those whose workloads are named."""
    kind = frameworks.import_framework(name)
    chosen = [cell for cell in cells(name) if not only or cell.workload in only]
    kind(chosen[0].model_copy(update={"task": "backward"})).apply_settings()
    for cell in chosen:
        print(json.dumps(tried(kind, cell)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
