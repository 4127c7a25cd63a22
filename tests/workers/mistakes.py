"""Errors for every usual mistake in a workload, in one process: `python -m tests.workers.mistakes torch`.

Prints one JSON object a line for each mistake and mode: the reason, and the place as a path within the workload. One
job for each would import the framework a hundred times.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.registry import workload_template
from schemas.code import hash_workload_code
from schemas.job import Cell, JobSpec
from schemas.judging import SET
from workers import frameworks, workloads
from workers.failures import describe_failure, locate_failure
from workers.measurement.phases import Ledger
from workers.problem import location
from workers.session import prepare_step

MODES = {
    "numpy": ("eager",),
    "torch": ("eager", "trace", "script"),
    "jax": ("eager", "jit"),
    "tensorflow": ("eager", "function", "session"),
}
# For the file of each framework, each mistake as a text and its replacement.
EDITS = {
    "torch": {
        "name": ("torch.mm(hidden,", "torch.mm(hiden,"),
        "shape": ("self.W_down.t())", "self.W_down)"),
        "value": ("        return torch.mm(hid", "        assert len(x) > 5, 'too small'\n        return torch.mm(hid"),
        "weights": ('self.W_up = nn.Parameter(weights["W_up"])', 'self.W_up = weights["W_up"]'),
        "order": ("self.W_gate = ", 'self.W_down = nn.Parameter(weights["W_down"])\n        self.W_gate = '),
        "loss": ("def loss(", "def los("),
        "vector": (".square().mean()", ".square().mean(dim=1)"),
        "unused": ("* torch.mm(x, self.W_up.t())", ""),
    },
    "tensorflow": {
        "name": ("tf.nn.silu(gate)", "tf.nn.silu(gat)"),
        "shape": ("self.W_down, transpose_b=True", "self.W_down"),
        "value": ("        return tf.matmul(tf", "        assert len(x) > 5, 'too small'\n        return tf.matmul(tf"),
        "weights": ("[self.W_gate, self.W_up, self.W_down]", "[self.W_gate, self.W_up]"),
        "order": ("[self.W_gate, self.W_up, self.W_down]", "[self.W_down, self.W_gate, self.W_up]"),
        "loss": ("def loss(", "def los("),
        "unused": ("tf.nn.silu(gate) * up", "tf.nn.silu(gate)"),
    },
    "jax": {
        "name": ("return hidden @", "return hiden @"),
        "shape": ('"W_down"].T', '"W_down"]'),
        "value": ("        return hidden @", "        assert len(x) > 5, 'too small'\n        return hidden @"),
        "weights": ("self.weights = weights", "self.weights = {}"),
        "loss": ("def loss(", "def los("),
        "vector": ("jnp.mean(jnp.square(self(x)))", "jnp.mean(jnp.square(self(x)), 1)"),
    },
}

ALIKE = {
    "none": ("", ""),
    "syntax": ("def loss(self, x):", "def loss(self, x)"),
    "model": ("class Model", "class Modle"),
    "made": ("self, parameters, weights", "self, weights"),
    "import": ('"""\n\n', '"""\n\nimport blocks\n'),
}
REFERENCE = {
    "missing": ("def weights", "def weigths"),
    "backward": ("backward = gradients_of(loss)", ""),
    "names": ('"W_gate": rng', "1: rng"),
    "integers": ("return {", "return {'b': np.arange(3)} or {"),
    "shapes": ("return ((x,),)", "return (x,)"),
    "inputs": ("return tuple(rng.standard_normal(shape) for shape in shapes)", "return rng.standard_normal(shapes[0])"),
    "others": ("rng.standard_normal(shape) for shape in shapes", "rng.standard_normal((3, 3)) for shape in shapes"),
    "whole": ("rng.standard_normal(shape) for", "rng.standard_normal(shape).astype('str') for"),
    "key": ('x @ weights["W_gate"].T', 'x @ weights["W_gat"].T'),
    "gradients": (
        "backward = gradients_of(loss)",
        "def backward(parameters, weights, x):\n    return 1.0, {'W_up': x}",
    ),
    "syntax": ("def loss(parameters, weights, x):", "def loss(parameters, weights, x)"),
    "import": ("import autograd.numpy as np", "import autogradd.numpy as np"),
}


def broken(folder: Path, file: str, before: str, after: str) -> Path:
    """Write a new workload with one text replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    made = workload_template.write_template("mine", folder).resolve()
    (made / "blocks.py").touch()
    text = (made / file).read_text()
    assert before in text, before
    (made / file).write_text(text.replace(before, after, 1))
    return made


def settled(spec: JobSpec) -> str:
    """Return the package of a workload, which replaces that of the one before it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == location.PACKAGE]:
        del sys.modules[name]
    return location.resolve_package(spec)


def done(spec: JobSpec) -> str:
    """Build the model, take the first call and check it, as a job does, and return why it is wrong."""
    from workers.problem.problem import problem_from_spec

    cell, package = spec.cell, settled(spec)
    framework = frameworks.import_framework(cell.framework, spec.module)(cell)
    problem = problem_from_spec(spec, package)
    name = getattr(framework, "implementation", cell.framework)
    model = framework.build(workloads.import_implementation(cell.workload, name, package=package), problem.weights)
    example = framework.arrays(problem.input_sets[0])
    step = prepare_step(framework, model, example, problem.infer_axes(), Ledger(lambda _: None))
    return problem.check_case(f"{SET}0", framework.to_numpy(step(*example)), "here").reason


def told(folder: Path, framework: str, mode: str) -> tuple[str, str]:
    """Return the error that a user would see, and its place."""
    sizes = {"width": 3, "hidden": 5}
    cell = Cell(
        framework=framework, mode=mode, workload="mine", parameters=sizes, batch=2, code=hash_workload_code(folder)
    )
    module = "workers.frameworks.tensorflow_session" if mode == "session" else ""
    spec = JobSpec(cell=cell, block=1, position=0, seed=7, cpus=(), variables={}, source_dir=str(folder), module=module)
    try:
        return f"wrong: {wrong}" if (wrong := done(spec)) else "right", ""
    except Exception as error:  # a mistake may raise anything, and that is the result
        return describe_failure(error), locate_failure(error, spec).replace(f"{folder}/", "")


def mistakes(framework: str) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """Yield each mistake with its file and its edit."""
    if framework == "numpy":
        yield from ((name, "reference.py", edit) for name, edit in REFERENCE.items())
    else:
        yield from ((name, f"{framework}.py", edit) for name, edit in (EDITS[framework] | ALIKE).items())


def main(framework: str) -> None:
    """Make every mistake in every mode."""
    plain = Cell(framework=framework, mode="eager", workload="mine")
    frameworks.import_framework(framework)(plain).apply_settings()
    folder = Path(tempfile.mkdtemp())  # one for all: AutoGraph caches what it has converted, with its place
    for name, file, edit in mistakes(framework):
        for mode in MODES[framework]:
            said, where = told(broken(folder, file, *edit), framework, mode)
            print(json.dumps({"mistake": name, "mode": mode, "reason": said, "where": where}), flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
