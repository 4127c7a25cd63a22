"""Two models of one thing, in one framework or in two: the later one gets the inputs and the weights of the first."""

import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.event import Exported, Failure, Report
from schemas.job import ComputeReference, JobSpec
from schemas.model_code import hash_model_code
from schemas.models import ModelSource
from tests.workers.models.conftest import Case
from workers.models.stored_model import StoredModel

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work

pytestmark = pytest.mark.skipif(
    find_spec("torch") is None or find_spec("jax") is None, reason="torch and jax are not both installed"
)

TORCH = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x, scale):
        return self.second(torch.tanh(self.first(x))) * scale

def inputs(batch=2):
    return torch.randn(batch, 6), torch.randint(1, 5, (batch, 1))
"""

JAX = """
import jax
import jax.numpy as jnp

def net(parameters, x, scale):
    return (jnp.tanh(x @ parameters["first"] + parameters["bias"]) @ parameters["second"] + parameters["last"]) * scale

def build():
    one, two = jax.random.split(jax.random.key(0))
    return net, {
        "first": jax.random.normal(one, (6, 8)), "bias": jnp.zeros(8),
        "second": jax.random.normal(two, (8, 3)), "last": jnp.zeros(3),
    }

def inputs(batch=2):
    return jnp.zeros((batch, 6)), jnp.ones((batch, 1), int)
"""

WEIGHTS = """
def weights(state):
    return {
        "first": state["first.weight"].T, "bias": state["first.bias"],
        "second": state["second.weight"].T, "last": state["second.bias"],
    }
"""

Refer = Callable[..., tuple[JobSpec, Exported | Failure]]


@pytest.fixture
def refer(tmp_path: Path, ask: "Ask", work: "Work") -> Refer:
    """Run the reference process of a model, after that of the first one if there is one."""

    def run(
        name: str, text: str, first: Exported | None = None, task: str = "forward"
    ) -> tuple[JobSpec, Exported | Failure]:
        framework = name.partition("_")[0]
        file = tmp_path / f"{name}.py"
        file.write_text(text)
        source = ModelSource(file=str(file), folder=str(tmp_path))
        spec = ask(framework, "eager", "nets", code=hash_model_code(source), task=task, batch=2, variant=name)
        spec = spec.model_copy(update={"model": source, "reference": framework})
        due = {"purpose": ComputeReference(path=str(tmp_path / f"{name}.npz"))}
        given = {"expected": first.artefact} if first else {}
        last = work(spec.model_copy(update={**due, **given})).events[-1]
        assert isinstance(last, Exported | Failure)
        return spec, last

    return run


def read_first(last: Exported | Failure) -> StoredModel:
    assert isinstance(last, Exported), last
    return StoredModel(Path(last.artefact.path))


@pytest.mark.parametrize("task", ["forward", "backward", pytest.param("train-adam")])
@pytest.mark.long
def test_a_model_of_another_framework_gets_the_weights_as_its_file_says(refer: Refer, work: "Work", task: str) -> None:
    _, first = refer("torch_net", TORCH, task=task)
    one = read_first(first)
    assert isinstance(first, Exported)
    spec, second = refer("jax_net", JAX + WEIGHTS, first, task)
    two = read_first(second)
    assert np.array_equal(two.read_state()["second"], one.read_state()["second.weight"].T)
    for (x, scale), (shared, factor) in zip(one.read_sets(), two.read_sets(), strict=True):
        assert np.array_equal(x, shared)
        assert np.array_equal(scale, factor)
        assert (scale.dtype.name, factor.dtype.name) == ("int64", "int32")
    assert isinstance(second, Exported)
    report = work(spec.model_copy(update={"expected": second.artefact})).events[-1]
    assert isinstance(report, Report), report
    assert report.verification.reason == ""
    assert "jax_net has the weights of the first model, and computes the same in float64" in report.notes


@pytest.mark.long
def test_without_a_way_to_carry_weights_a_note_says_what_can_be_compared(refer: Refer) -> None:
    _, first = refer("torch_net", TORCH)
    _, second = refer("jax_net", JAX, first)
    assert read_first(second).read_facts().notes == (
        "jax_net has weights of its own: only its time and memory can be compared",
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "outcome", "said"),
    [
        (
            ('"bias": state["first.bias"],', ""),
            "raised",
            r"weights(state) must return bias of shape [8], which is missing",
        ),
        (
            ('state["first.weight"].T', 'state["first.weight"]'),
            "raised",
            "must return first of shape [6, 8], not [8, 6]",
        ),
        (
            ("jnp.tanh(", "jnp.sin("),
            "wrong",
            "jax_net computes something else than the first model, from the same weights and inputs: its output is off",
        ),
        (("jnp.zeros((batch, 6))", "jnp.zeros((batch, 7))"), "raised", "must take the same inputs, not"),
    ],
)
def test_a_second_model_that_is_another_is_refused_in_one_sentence(
    refer: Refer, change: tuple[str, str], outcome: str, said: str
) -> None:
    _, first = refer("torch_net", TORCH)
    assert isinstance(first, Exported)
    _, second = refer("jax_net", (JAX + WEIGHTS).replace(*change), first)
    assert isinstance(second, Failure)
    assert (second.outcome, said in second.reason, "\n" in second.reason) == (outcome, True, False), second.reason


# Attention of two heads in a dictionary of results, a normalisation by the batch, and a bias before it, whose gradient
# is nothing but rounding.
HEADS = """
import torch
from torch import nn
from torch.nn.functional import batch_norm

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows, self.norm, self.last = nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Linear(4, 3)

    def forward(self, x, scale):
        rows = self.norm(self.rows(x))
        query, key, value = rows.unflatten(-1, (2, 6)).split(2, -1)
        heads = torch.softmax(query @ key.mT, -1) @ value
        return {"rows": rows, "scores": self.last(heads.flatten(1)) * scale}

def inputs(batch=2):
    return torch.randn(batch + 3, 6), torch.randint(1, 5, (batch + 3, 1))
"""
SAME = "\ndef weights(state):\n    return state\n"
BATCH_NORM = ("self.norm(self.rows(x))", "batch_norm(self.rows(x), None, None, self.norm.weight, self.norm.bias, True)")


@pytest.mark.long
@pytest.mark.parametrize(
    ("task", "change", "said"),
    [
        ("forward", ("heads.flatten(1)", "heads.flip(1).flatten(1)"), "its output 1 is off by"),
        pytest.param("forward", BATCH_NORM, "its output 0 is off by", marks=pytest.mark.long),
        pytest.param(
            "forward", ("self.last(", "(heads.sum() < 0) * 0.01 + self.last("), "its output 1", marks=pytest.mark.long
        ),
        pytest.param(
            "backward",
            ("value = rows", "value = rows.detach()"),
            "its gradient of norm.weight is off by",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "backward",
            ("self.rows(x)", "self.rows(x).detach()"),
            "its gradient of rows.weight is not in both of them",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "backward",
            ("self.norm(self.rows(x))", "(self.norm(self.rows(x).flip(0))).flip(0)"),
            "",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_mutant_beside_its_original_is_wrong_and_what_is_off_is_named(
    refer: Refer, task: str, change: tuple[str, str], said: str
) -> None:
    _, first = refer("torch_one", HEADS, task=task)
    assert isinstance(first, Exported), first
    _, second = refer("torch_two", HEADS.replace(*change) + SAME, first, task)
    if said:
        assert isinstance(second, Failure)
        assert (second.outcome, said in second.reason, "\n" in second.reason) == ("wrong", True, False), second.reason
    else:
        assert isinstance(second, Exported), second


# A layer, and the sine of many times its results.
SENSITIVE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 3)

    def forward(self, x):
        return torch.sin(LARGE * self.first(x))

def inputs(batch=1):
    return torch.randn(batch, 6)
"""


@pytest.mark.parametrize(
    ("large", "dtype", "runs"),
    [
        ("1e5", "float32", ["fine", "rounded"]),
        pytest.param("1.0", "float32", ["rounded"], marks=pytest.mark.long),
        pytest.param("1e8", "float64", ["fine"], marks=pytest.mark.long),
        pytest.param("1e5", "bfloat16", ["fine", "rounded"], marks=pytest.mark.long),
    ],
)
def test_other_last_bits_say_which_accuracy_is_within_reach_in_the_dtype_and_in_float64(
    tmp_path: Path, ask: "Ask", work: "Work", large: str, dtype: str, runs: list[str]
) -> None:
    case = Case(tmp_path, SENSITIVE.replace("LARGE", large), ask, work, "torch", ())
    stored = StoredModel(Path(case.expect(dtype=dtype, batch=3).path))
    with zipfile.ZipFile(stored.path) as whole:
        kept = whole.namelist()
    names = {name.partition(".set 0.")[0] for name in kept if ".set 0." in name}
    assert sorted(name for name in names if name[-1] == "0") == [f"{run}0" for run in runs]
    assert sum(name.startswith("rounded") for name in names) in (0, 3)
    later = {name.partition(".set 2.")[0] for name in kept if ".set 2." in name}
    assert any(name.startswith("fine") for name in later) is (dtype == "float64")
    moved = stored.read_facts().ill_conditioned
    assert [*moved] == ([] if large == "1.0" else ["output"])
    least = {"float64": 1e-10, "float32": 1e-3, "bfloat16": 0.1}
    assert all(least[dtype] < size for size in moved.values())
