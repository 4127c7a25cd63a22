"""PyTorch models as they come, measured by real workers and verified against themselves in float64."""

import textwrap
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure, Report
from tests.selection import mark_long
from tests.workers.models.endings import explain

if TYPE_CHECKING:
    from tests.workers.models.conftest import MakeCase

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")

PLAIN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Linear(width, 5))

    def forward(self, x):
        return self.layers(x)

def inputs(batch=1):
    return torch.randn(batch, 6)
"""

# Statistics, dropout, tied and unused weights, keyword and boolean inputs, nested results.
RICH = """
import dataclasses
import torch
from torch import nn

@dataclasses.dataclass
class Result:
    scores: torch.Tensor
    others: dict

class Model(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.table = nn.Embedding(words, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, words, bias=False)
        self.head.weight = self.table.weight
        self.unused = nn.Linear(2, 2)
        self.frozen = nn.Parameter(torch.ones(8), requires_grad=False)
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, words, mask=None, scale=1.0):
        rows = self.table(words) * mask[..., None] * self.frozen * self.scale * scale
        rows = self.drop(self.norm(rows.flatten(0, 1)).view_as(rows))
        return Result(self.head(rows), {"rows": rows, "nothing": None, "largest": rows.argmax(-1)})

def get_init_inputs():
    return [30]

def inputs(batch=2, length=5):
    return {"words": torch.randint(0, 30, (batch, length)), "mask": torch.rand(batch, length) > 0.2, "scale": 0.5}
"""


LATER = ("trace", "script", "compile")


@pytest.mark.parametrize(
    ("mode", "task"),
    mark_long(
        [
            (mode, task)
            for mode in ("torch:eager", "torch:trace", "torch:script", "torch:compile", "torch:aot-compile")
            for task in ("forward", "backward", "train-adam")
        ],
        quick=[("torch:eager", "backward"), ("torch:script", "forward")],
    ),
)
def test_a_plain_module_is_measured_in_every_mode_and_found_right(make_case: "MakeCase", mode: str, task: str) -> None:
    report = make_case(PLAIN).measure(mode, task=task, batch=3)
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason == ""
    names = {check.tensor for check in report.verification.checks}
    due = {
        "forward": {"output"},
        "backward": {"loss"} | {f"gradient of layers.{n}.{kind}" for n in (0, 2) for kind in ("weight", "bias")},
        "train-adam": {f"move of layers.{n}.{kind}" for n in (0, 2) for kind in ("weight", "bias")},
    }
    assert due[task] <= names


def test_a_model_as_it_is_decides_on_its_order_of_axes(make_case: "MakeCase") -> None:
    case = make_case(PLAIN)
    last = case.measure("torch:eager", case.expect(), tuning="channels-first")
    assert isinstance(last, Failure)
    assert last.outcome == "unsupported"
    assert last.reason == "a model as it is decides on its order of axes: leave out --tuning channels-first"


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "task"),
    [
        ("torch:eager", "forward"),
        ("torch:eager", "backward"),
        ("torch:eager", "train-sgd"),
        ("torch:trace", "forward"),
        ("torch:trace", "backward"),
        ("torch:compile", "backward"),
    ],
)
def test_a_module_with_everything_is_measured_as_it_is(make_case: "MakeCase", mode: str, task: str) -> None:
    report = make_case(RICH).measure(mode, task=task)
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason == ""
    names = {check.tensor for check in report.verification.checks}
    if task == "forward":
        assert names == {"output 0", "output 1", "output 2"}
    elif task == "backward":
        # The loss depends neither on the unused weights nor on the frozen one, and tied weights are one.
        assert names == {"loss", "gradient of table.weight", "gradient of norm.weight", "gradient of norm.bias"}
    else:
        assert {"move of table.weight", "move of running_norm.running_mean", "move of unused.weight"} <= names


@pytest.mark.long
def test_all_processes_have_the_same_data_even_where_a_model_draws_weights_unseeded(make_case: "MakeCase") -> None:
    text = PLAIN.replace(
        "        self.layers =",
        "        generator = torch.Generator()\n        generator.seed()\n        self.layers =",
    )
    text += "\nnet = Net()\ntorch.seed()\n\ndef build():\n    torch.seed()\n    return Net()\n"
    case = make_case(text)
    expected = case.expect()
    reports = [case.measure("torch:eager", expected) for _ in range(2)]
    assert all(isinstance(report, Report) and report.verification.reason == "" for report in reports)
    assert len({report.inputs_sha256 for report in reports if isinstance(report, Report)}) == 1


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("return self.layers(x) * torch.rand(1)", "draws random numbers"),
        ("self.count += 1\n        return self.layers(x) * self.count", "each call changes its buffer count"),
        ("return 'text'", "returns a str without tensors"),
    ],
)
def test_a_model_that_nothing_could_verify_is_refused_in_one_sentence(
    make_case: "MakeCase", model: str, said: str
) -> None:
    text = PLAIN.replace("return self.layers(x)", model).replace(
        "        self.layers =", '        self.register_buffer("count", torch.zeros(()))\n        self.layers ='
    )
    last = make_case(text).refer()
    assert isinstance(last, Failure)
    assert (last.outcome, said in last.reason, "\n" in last.reason) == ("raised", True, False), last.reason


@pytest.mark.long
def test_state_that_a_call_leaves_behind_is_said(make_case: "MakeCase") -> None:
    text = PLAIN.replace("return self.layers(x)", "self.calls += 1\n        return self.layers(x)").replace(
        "        self.layers =", '        self.register_buffer("calls", torch.zeros(()))\n        self.layers ='
    )
    report = make_case(text).measure("torch:eager")
    assert isinstance(report, Report), explain(report)
    assert report.notes == ("each call changes its buffer calls, on which its results do not depend",)


@pytest.mark.long
def test_lazily_made_parameters_are_made_before_anything_is_measured(make_case: "MakeCase") -> None:
    report = make_case(PLAIN.replace("nn.Linear(6, width)", "nn.LazyLinear(width)")).measure(
        "torch:eager", task="backward"
    )
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason == ""


@pytest.mark.long
def test_dropout_is_switched_off_and_that_is_said(make_case: "MakeCase") -> None:
    report = make_case(PLAIN.replace("nn.Tanh()", "nn.Tanh(), nn.Dropout(0.5)")).measure("torch:eager", task="backward")
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason == ""
    assert report.notes == ("dropout is off (layers: 1), so that results can be verified",)


@pytest.mark.long
def test_attention_that_reads_the_rate_of_its_layer_drops_nothing(make_case: "MakeCase") -> None:
    text = PLAIN.replace("nn.Tanh()", "nn.Tanh(), Attention()") + textwrap.dedent("""
        class Attention(nn.Module):
            def __init__(self):
                super().__init__()
                self.dropout = nn.Dropout(0.5)

            def forward(self, x):
                x = x.unflatten(-1, (2, 3, 4))
                rate = self.dropout.p if self.training else 0.0
                return nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=rate).flatten(-3)
    """)
    report = make_case(text.replace("class Net", "class Model")).measure("torch:eager", task="backward")
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason == ""


@pytest.mark.long
def test_a_loss_without_parameters_is_refused_with_the_task_that_would_do(make_case: "MakeCase") -> None:
    text = "import torch\ndef double(x):\n    return 2 * x\ndef inputs(batch=1):\n    return torch.randn(3)\n"
    last = make_case(text).refer(task="backward")
    assert isinstance(last, Failure)
    assert "depends on no parameter; measure it with --tasks forward" in last.reason


@pytest.mark.long
def test_a_function_of_described_inputs_is_measured_with_its_arithmetic_counted(make_case: "MakeCase") -> None:
    text = "import torch\ndef product(x, y):\n    return torch.relu(x @ y)\n"
    report = make_case(text, inputs=("float32[batch,8]", "float32[8,4]")).measure("torch:script", batch=5)
    assert isinstance(report, Report), explain(report)
    assert report.work.flops == 2 * 5 * 8 * 4
    assert report.work.bytes == 4 * (5 * 8 + 8 * 4 + 5 * 4)


@pytest.mark.long
def test_a_layer_that_torchscript_gives_no_forward_is_one_sentence(make_case: "MakeCase") -> None:
    text = "import torch\nmodel = torch.nn.LSTM(4, 3)\ndef inputs(batch=1):\n    return torch.randn(2, batch, 4)\n"
    last = make_case(text).measure("torch:script")
    assert isinstance(last, Failure)
    assert last.outcome == "unsupported"
    assert "TorchScript compiles LSTM without a method forward" in last.reason


@pytest.mark.long
def test_a_branch_that_tracing_has_not_met_is_met_by_verification(make_case: "MakeCase") -> None:
    text = """
        import torch

        def model(x):
            return x.tanh() if x[0, 0] > 0.7 else x.sinh()

        def inputs(batch=1):
            return torch.randn(batch, 4)
    """
    case = make_case(textwrap.dedent(text))
    traced, eager = case.measure("torch:trace"), case.measure("torch:eager")
    assert isinstance(traced, Report), explain(traced)
    assert isinstance(eager, Report), explain(eager)
    # Some calls within samples are verified too, by chance: one of them may be the first that is off.
    assert "output is off by" in traced.verification.reason
    off = {check.inputs.partition(", ")[2] for check in traced.verification.checks if not check.passed}
    assert {"after all samples"} <= off <= {"after all samples", "last timed call", "a call within a sample"}
    assert eager.verification.reason == ""
    lasting = [check for check in eager.verification.checks if "within a sample" not in check.inputs]
    assert len(lasting) == 2 + 1 + 2 + 4


@pytest.mark.long
def test_where_float64_cannot_run_only_agreement_is_checked_and_that_is_said(make_case: "MakeCase") -> None:
    text = PLAIN.replace(
        "return self.layers(x)", "assert x.dtype != torch.float64, 'no kernel for it'\n        return self.layers(x)"
    )
    report = make_case(text).measure("torch:trace")
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason == ""
    assert "no kernel for it" in report.verification.agreement


@pytest.mark.long
def test_the_dtype_of_the_cell_holds_for_the_whole_model(make_case: "MakeCase") -> None:
    report = make_case(PLAIN).measure("torch:eager", dtype="bfloat16")
    assert isinstance(report, Report), explain(report)
    (least, most) = (f(check.error for check in report.verification.checks if check.error) for f in (min, max))
    assert 1e-5 < least < most < 4e-2


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("axis", ("dim=-1", "dim=-2"), marks=pytest.mark.long),
        pytest.param("bias", ("self.bias", "0 * self.bias"), marks=pytest.mark.long),
        ("eps", ("1e-5", "1e-4")),
        pytest.param("detached", ("self.first(x)", "self.first(x).detach()"), marks=pytest.mark.long),
    ],
)
def test_a_mutant_of_the_model_is_wrong(make_case: "MakeCase", name: str, change: tuple[str, str]) -> None:
    """Let the mode compute something else than the referee: the model asks which process it is in."""
    model = textwrap.dedent("""
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(6, 8)
                self.bias = nn.Parameter(torch.ones(8))

            def forward(self, x):
                if torch.jit.is_tracing():
                    return self.mutate(x)
                return torch.softmax(nn.functional.layer_norm(self.first(x) + self.bias, (8,), eps=1e-5), dim=-1)

            def mutate(self, x):
                return torch.softmax(nn.functional.layer_norm(self.first(x) + self.bias, (8,), eps=1e-5), dim=-1)

        def inputs(batch=1):
            return 0.03 * torch.randn(batch, 4, 6)
    """)
    head, mutated, tail = model.partition("def mutate")
    right = make_case(model).measure("torch:trace", task="backward")
    assert isinstance(right, Report), explain(right)
    assert right.verification.reason == ""
    wrong = make_case(head + mutated + tail.replace(*change)).measure("torch:trace", task="backward")
    if name == "detached":
        assert isinstance(wrong, Failure)
        assert (wrong.outcome, "has no gradient in this mode" in wrong.reason) == ("wrong", True)
    else:
        assert isinstance(wrong, Report), explain(wrong)
        assert "is off by" in wrong.verification.reason


# A normalisation gives the bias before it a gradient of zero.
NORMALISED = PLAIN.replace("nn.Tanh()", "nn.BatchNorm1d(width), nn.Tanh()")
NADAM = """
def optimizer(parameters):
    return torch.optim.NAdam(parameters, lr=0.01)
"""


@pytest.mark.long
@pytest.mark.parametrize("mode", ["torch:eager", *(pytest.param(f"torch:{x}", marks=pytest.mark.long) for x in LATER)])
def test_a_step_with_the_optimiser_of_the_file_is_measured_and_found_right(make_case: "MakeCase", mode: str) -> None:
    report = make_case(NORMALISED + NADAM).measure(mode, task="train-own", batch=3)
    assert isinstance(report, Report), explain(report)
    assert (report.verification.reason, report.verification.agreement) == ("", "")
    names = {check.tensor for check in report.verification.checks}
    assert {"move of layers.0.weight", "move of running_layers.1.running_mean"} <= names


@pytest.mark.long
def test_an_optimiser_that_does_something_else_where_it_is_timed_is_wrong(make_case: "MakeCase") -> None:
    # The referee runs with the settings as shipped, the measured process with those for equal times.
    text = PLAIN + NADAM.replace("0.01", "0.01 if torch.backends.cudnn.allow_tf32 else 0.0101")
    report = make_case(text).measure("torch:eager", task="train-own")
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason.startswith("loss of step 2 is off by")
    moves = [check for check in report.verification.checks if check.tensor == "move of layers.0.weight"]
    assert [(check.passed, round(check.error or 0, 3)) for check in moves] == [(False, 0.01), (False, 0.01)]


@pytest.mark.long
@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("torch.optim.LBFGS(parameters)", "returns LBFGS, whose step(closure)"),
        ("torch.optim.Missing()", "'torch.optim' has no attribute 'Missing'"),
    ],
)
def test_an_optimiser_that_cannot_train_is_refused_in_one_sentence_with_its_place(
    make_case: "MakeCase", made: str, said: str
) -> None:
    last = make_case(PLAIN + NADAM.replace("torch.optim.NAdam(parameters, lr=0.01)", made)).refer(task="train-own")
    assert isinstance(last, Failure)
    assert (said in last.reason, "\n" in last.reason) == (True, False), last.reason
    assert "net.py:" in last.where


@pytest.mark.long
@pytest.mark.parametrize("mode", ["torch:eager", *(pytest.param(f"torch:{x}", marks=pytest.mark.long) for x in LATER)])
def test_dropout_is_on_in_timed_steps_and_off_in_verified_ones_and_that_is_said(
    make_case: "MakeCase", mode: str
) -> None:
    text = NORMALISED.replace("nn.Tanh()", "nn.Tanh(), nn.Dropout(0.5)")
    report = make_case(text).measure(mode, task="train-adamw", batch=3)
    assert isinstance(report, Report), explain(report)
    assert (report.verification.reason, report.verification.agreement) == ("", "")
    assert report.notes == (
        "dropout is on in timed steps (layers: 1) and off in verified ones, which are prepared in the same way",
    )
    assert [each for each in report.warnings if "nondeterministic" in each] == []


# Attention of two heads after a normalisation, and a mutant in traced modes, of which a test changes one thing.
HEADS = """
import torch
from torch import nn
from torch.nn.functional import batch_norm, linear

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6)
        self.rows, self.last = nn.Linear(6, 12), nn.Linear(4, 3)

    def forward(self, x):
        return self.mutate(x) if torch.jit.is_tracing() else self.compute(x)

    def normalise(self, x, training):
        statistics = self.norm.running_mean, self.norm.running_var
        if training:
            statistics = None, None
        return batch_norm(x, *statistics, self.norm.weight, self.norm.bias, training)

    def attend(self, rows):
        query, key, value = rows.unflatten(-1, (2, 6)).split(2, -1)
        return (torch.softmax(torch.einsum("bhi,bgi->bhg", query, key), -1) @ value)

    def compute(self, x):
        rows = self.rows(self.normalise(x, self.training))
        return {"scores": self.last(self.attend(rows).flatten(1)), "rows": rows}

    def mutate(self, x):
        rows = self.rows(self.normalise(x, self.training))
        return {"scores": self.last(self.attend(rows).flatten(1)), "rows": rows}

def round_weight(weight):
    scale = weight.abs().max() / 127
    return (weight / scale).round() * scale

def inputs(batch=5):
    return 1 + 2 * torch.randn(batch, 6)
"""
EVALUATED = ("self.normalise(x, self.training)", "self.normalise(x, not self.training)")
SWAPPED = ("self.attend(rows).flatten(1)", "self.attend(rows).flip(1).flatten(1)")
ROUNDED = (
    "self.last(self.attend(rows).flatten(1))",
    "linear(self.attend(rows).flatten(1), round_weight(self.last.weight), self.last.bias)",
)


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "task", "said"),
    [
        pytest.param(EVALUATED, "forward", "output 0 is off by", marks=pytest.mark.long, id="statistics of the batch"),
        pytest.param(EVALUATED, "backward", "loss is off by", marks=pytest.mark.long, id="statistics of training"),
        pytest.param(SWAPPED, "forward", "output 1 is off by", id="swapped heads"),
        pytest.param(SWAPPED, "backward", "is off by", marks=pytest.mark.long, id="swapped heads in training"),
        pytest.param(ROUNDED, "forward", "output 1 is off by 0.00", marks=pytest.mark.long, id="quantised"),
    ],
)
def test_a_mutant_of_attention_is_wrong_and_the_output_is_named(
    make_case: "MakeCase", change: tuple[str, str], task: str, said: str
) -> None:
    head, mutated, tail = HEADS.partition("def mutate")
    assert change[0] in tail
    case = make_case(head + mutated + tail.replace(*change))
    expected = case.expect(task=task, batch=5)
    right, wrong = (case.measure(mode, expected, task=task, batch=5) for mode in ("torch:eager", "torch:trace"))
    assert isinstance(right, Report), explain(right)
    assert right.verification.reason == ""
    assert isinstance(wrong, Report), explain(wrong)
    assert said in wrong.verification.reason


@pytest.mark.long
def test_an_output_that_was_traced_as_a_constant_is_wrong_on_other_inputs(make_case: "MakeCase") -> None:
    text = PLAIN.replace(
        "return self.layers(x)",
        "made = self.layers(x)\n        return torch.tensor(made.tolist()) if torch.jit.is_tracing() else made",
    )
    wrong = make_case(text).measure("torch:trace", batch=2)
    assert isinstance(wrong, Report), explain(wrong)
    assert wrong.verification.reason.startswith("right on the inputs it was prepared with, but output is off by")


@pytest.mark.long
def test_a_model_that_returns_the_output_of_the_call_before_is_refused_with_the_reason(make_case: "MakeCase") -> None:
    text = PLAIN.replace(
        "return self.layers(x)",
        "made, self.before = getattr(self, 'before', None), self.layers(x)\n"
        "        return self.before if made is None else made",
    )
    last = make_case(text).refer()
    assert isinstance(last, Failure)
    assert last.reason == (
        "two calls of net.py on the same inputs differ: they depend on the call before; make the results independent "
        "of earlier calls"
    )
