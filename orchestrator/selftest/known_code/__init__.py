"""Code whose truth is known: models that cheat, each in its way, and honest ones that are written in unusual ways.

The text files in `files` are two workload folders. A parameter chooses the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from orchestrator.registry.workloads import load_workload_folder
from schemas.job import Cell, Task
from schemas.record import Outcome
from schemas.workloads import Workload

DISHONEST: Final = "dishonest"
ODD: Final = "odd"

WIDE: Final = 30_000  # numbers in a row of which a mean is taken


@dataclass(frozen=True, slots=True)
class Kind:
    """One model in one mode: what it does, the outcome that is due, and words that its reason has to contain.

    `number` chooses it among the models of its folder. A wide one takes a mean of many numbers, or has several outputs.
    """

    folder: str
    number: int
    label: str
    name: str
    outcome: Outcome = "wrong"
    said: str = "is off by"
    task: Task = "forward"
    is_wide: bool = False

    @property
    def parameters(self) -> dict[str, int]:
        """Return the parameters of its workload."""
        if self.folder == ODD:
            return {"way": self.number, "nested": int(self.is_wide)}
        return {"cheat": self.number, "mean": int(self.is_wide), "width": WIDE if self.is_wide else 64}


EAGER: Final = ("torch:eager",)
EVERYWHERE: Final = ("torch:eager", "torch:trace", "tensorflow:eager", "tensorflow:function", "jax:jit")
ONCE_EACH: Final = ("torch:eager", "tensorflow:function", "jax:jit")
SHAPE: Final = "not finite or of the wrong shape"
SOME: Final = "output is"
OFF: Final = "is off by"

# Each number with the modes that have it, what it does, the outcome that is due, and words of its reason.
CHEATS: Final[Sequence[tuple[int, Sequence[str], str, Outcome, str]]] = (
    (1, EVERYWHERE, "returns zeros", "wrong", OFF),
    (2, EVERYWHERE, "returns its inputs", "wrong", OFF),
    (3, EAGER, "returns memory as it is, after two calls", "wrong", SOME),
    (4, EAGER, "returns what is no number, after two calls", "wrong", SHAPE),
    (5, EAGER, "computes when the result is detached", "wrong", SOME),
    (6, EAGER, "computes when a function gets the result", "wrong", SOME),
    (7, EAGER, "computes when an operation gets the result", "raised", "computes when it is read"),
    (8, EAGER, "computes only the last call of a sample", "wrong", "a call within a sample"),
    (9, ("torch:eager", "tensorflow:eager", "jax:eager"), "computes one call in five", "wrong", OFF),
    (10, EVERYWHERE, "computes in half precision", "wrong", OFF),
    (11, EAGER, "computes in bfloat16", "wrong", OFF),
    (13, EAGER, "returns a tensor without values", "raised", "meta"),
    (14, EAGER, "repeats a part of an earlier result", "wrong", OFF),
    (15, EVERYWHERE, "returns a part", "wrong", SHAPE),
    (16, EAGER, "returns one more axis", "wrong", SHAPE),
    (17, EAGER, "returns half precision", "raised", "float16"),
    (18, EAGER, "returns another library's array", "raised", "ndarray"),
    (19, EAGER, "changes its inputs", "wrong", "its calls change their inputs in place"),
    (20, ("torch:eager", "tensorflow:eager"), "moves its weights", "wrong", OFF),
    (21, EAGER, "replaces functions of NumPy", "wrong", OFF),
    (22, EAGER, "replaces the verifier", "wrong", OFF),
    (23, EAGER, "looks for the expected result in memory", "wrong", SOME),
    (24, EAGER, "lets a thread finish after it has returned", "wrong", SOME),
    (25, EAGER, "takes two threads", "unfair", "threads"),
    (26, EAGER, "escapes to other cores", "unfair", "cores"),
    (27, EAGER, "lowers the precision of products", "unfair", "matmul precision"),
    (28, EAGER, "repeats its first results in turn", "wrong", OFF),
    (29, EAGER, "remembers results by a value", "implausible", "on new inputs"),
    (39, EAGER, "remembers results, and computes for a while after new inputs", "implausible", "on new inputs"),
    (37, ("tensorflow:function", "jax:eager"), "returns its first result", "wrong", SOME),
    (38, ("tensorflow:function",), "turns clustering on", "unfair", "clustering"),
)

# The same of gradients and training, each with its task.
TAUGHT_CHEATS: Final[Sequence[tuple[int, Sequence[str], str, Task, str]]] = (
    (31, ("torch:trace", *ONCE_EACH), "leaves out half of the gradient", "backward", "gradient of w"),
    (32, EAGER, "gives the gradient of an earlier call", "backward", "gradient of w"),
    (33, EAGER, "computes its gradient in half precision", "backward", "gradient of w"),
    (34, EAGER, "takes the loss of a part, after two calls", "backward", OFF),
    (31, EAGER, "trains by half of the gradient", "train-sgd", "steps of training"),
    (31, ("tensorflow:function",), "trains by half of the gradient", "train-adam", "steps of training"),
    (35, EAGER, "puts its weights back", "train-sgd", "of step"),
    (40, EAGER, "trains only in the first steps from the beginning", "train-sgd", "the step after all timed ones"),
    (36, EAGER, "stops training after ten calls", "train-sgd", "the step after all timed ones"),
    (1, ("jax:jit",), "trains nothing", "train-sgd", OFF),
)

# Each number with the modes that have it, and what it does.
WAYS: Final[Mapping[int, tuple[Sequence[str], str]]] = {
    0: (ONCE_EACH, "is plain"),
    1: (ONCE_EACH, "returns a transposed view"),
    2: (EAGER, "returns a parameter"),
    3: (EAGER, "computes in place"),
    4: (EAGER, "returns a part of a larger view"),
    5: (("torch:eager", "tensorflow:function"), "counts in a variable of its own"),
    6: (EAGER, "has tied weights"),
    7: (EAGER, "writes into given memory"),
    8: (ONCE_EACH, "branches on data"),
    9: (EAGER, "is called functionally"),
    10: (ONCE_EACH, "loops over rows"),
    11: (ONCE_EACH, "has a gradient of its own"),
    12: (("torch:eager", "jax:jit"), "computes again for its gradient"),
    13: (ONCE_EACH, "is mapped over rows"),
    14: (EAGER, "goes through a sparse tensor"),
    15: (EAGER, "goes through complex numbers"),
    16: (EAGER, "returns a strided view"),
    17: (EAGER, "has a hook"),
}
NESTED_WAYS: Final[Mapping[int, tuple[Sequence[str], str]]] = {
    20: (ONCE_EACH, "returns a dictionary"),
    21: (EAGER, "returns a dataclass"),
    22: (EAGER, "returns a named tuple"),
    23: (EAGER, "returns lists"),
}
TAUGHT_WAYS: Final[Sequence[tuple[int, Sequence[str], Task]]] = (
    (5, ("torch:eager", "tensorflow:function"), "backward"),
    (6, EAGER, "backward"),
    (11, ONCE_EACH, "backward"),
    (12, ("torch:eager", "jax:jit"), "backward"),
    (5, ("torch:eager", "tensorflow:function"), "train-sgd"),
    (0, ("jax:jit",), "train-adam"),
)


def list_cheats() -> Sequence[Kind]:
    """Return the models that cheat."""
    hidden = "hides half precision in a mean"
    return [
        *(
            Kind(DISHONEST, number, label, name, outcome, said)
            for number, labels, name, outcome, said in CHEATS
            for label in labels
        ),
        *(Kind(DISHONEST, 12, label, hidden, is_wide=True) for label in ONCE_EACH),
        *(
            Kind(DISHONEST, number, label, name, said=said, task=task)
            for number, labels, name, task, said in TAUGHT_CHEATS
            for label in labels
        ),
    ]


def list_odd() -> Sequence[Kind]:
    """Return the honest models that are written in unusual ways, and plain ones."""
    plain = [(number, *each, False) for number, each in WAYS.items()]
    nested = [(number, *each, True) for number, each in NESTED_WAYS.items()]
    return [
        *(
            Kind(ODD, number, label, name, "measured", "", is_wide=is_nested)
            for number, labels, name, is_nested in (*plain, *nested)
            for label in labels
        ),
        *(
            Kind(ODD, number, label, WAYS[number][1], "measured", "", task)
            for number, labels, task in TAUGHT_WAYS
            for label in labels
        ),
    ]


def list_kinds() -> Sequence[Kind]:
    """Return all models."""
    return (*list_cheats(), *list_odd())


def list_installed_kinds() -> Sequence[Kind]:
    """Return the models of frameworks that this interpreter finds."""
    return [kind for kind in list_kinds() if find_spec(kind.label.partition(":")[0]) is not None]


def write_folders(at: Path) -> Mapping[str, Workload]:
    """Write both workload folders into another folder; return the workloads by name."""
    found: dict[str, Workload] = {}
    for name in (DISHONEST, ODD):
        folder = at / name
        folder.mkdir(parents=True)
        for file in resources.files(__name__).joinpath("files", name).iterdir():
            folder.joinpath(file.name.removesuffix(".txt")).write_text(file.read_text())
        found[name] = load_workload_folder(folder)
    return found


def make_kind_cell(kind: Kind, workload: Workload) -> Cell:
    """Return the cell of a model, whose folder has been written."""
    framework, _, mode = kind.label.partition(":")
    return Cell(
        framework=framework,
        mode=mode,
        workload=workload.name,
        parameters=kind.parameters,
        task=kind.task,
        code=workload.code,
    )
