"""Models of JAX, flax and equinox as they come, measured by real workers and verified in float64."""

import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure, Report
from tests.workers.models.endings import explain, measure_right
from workers.models.stored_model import StoredModel
from workers.problem.problem import INPUT_SETS

if TYPE_CHECKING:
    from tests.workers.models.conftest import MakeCase

pytestmark = pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
needs_flax = pytest.mark.skipif(find_spec("flax") is None, reason="flax is not installed")
needs_equinox = pytest.mark.skipif(find_spec("equinox") is None, reason="equinox is not installed")

# A function with its parameters. The keys are fixed, as they often are.
PLAIN = """
import jax
import jax.numpy as jnp

def net(parameters, x):
    for layer in parameters["layers"]:
        x = jnp.tanh(x @ layer["kernel"] + layer["bias"])
    return x

def build():
    keys = jax.random.split(jax.random.key(3), 2)
    sizes = ((6, 24), (24, 5))
    layers = [
        {"kernel": jax.random.normal(key, size) / 4, "bias": jnp.zeros(size[1])} for key, size in zip(keys, sizes)
    ]
    return net, {"layers": layers, "unused": jnp.ones(2), "count": jnp.arange(3)}

def inputs(batch=1):
    return jax.random.normal(jax.random.key(0), (batch, 6))
"""

LINEN = """
import jax
from flax import linen as nn

class Net(nn.Module):
    words: int

    @nn.compact
    def __call__(self, words, mask=None, train=True, scale=1.0):
        table = nn.Embed(self.words, 8)
        rows = table(words) * mask[..., None] * scale
        rows = nn.Dropout(0.5, deterministic=not train)(nn.BatchNorm(use_running_average=not train)(rows))
        return {"scores": table.attend(rows), "others": (rows, None, rows.argmax(-1))}

def build():
    return Net(30)

def inputs(batch=2, length=5):
    words, mask = jax.random.split(jax.random.key(0))
    return {
        "words": jax.random.randint(words, (batch, length), 0, 30),
        "mask": jax.random.uniform(mask, (batch, length)) > 0.2,
        "scale": 0.5,
    }
"""

NNX = """
import jax
from flax import nnx

class Net(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(6, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.second = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.second(self.drop(self.norm(self.first(x))))

def build():
    return Net(nnx.Rngs(0))

def inputs(batch=4):
    return jax.random.normal(jax.random.key(0), (batch, 6))
"""

EQUINOX = """
import equinox as eqx
import jax

class Net(eqx.Module):
    layers: list
    drop: eqx.nn.Dropout

    def __init__(self, key):
        first, second = jax.random.split(key)
        self.layers = [eqx.nn.Linear(6, 8, key=first), jax.nn.relu, eqx.nn.Linear(8, 3, use_bias=False, key=second)]
        self.drop = eqx.nn.Dropout(0.5)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.drop(x)

def build():
    return lambda net, x: jax.vmap(net)(x), Net(jax.random.key(1))

def inputs(batch=4):
    return jax.random.normal(jax.random.key(0), (batch, 6))
"""


def name_checks(report: Report) -> set[str]:
    return {check.tensor for check in report.verification.checks}


TASKS = [(mode, task) for mode in ("jax:eager", "jax:jit") for task in ("forward", "backward", "train-adam")]


@pytest.mark.long
@pytest.mark.parametrize(("mode", "task"), TASKS)
def test_a_function_and_its_parameters_are_measured_and_found_right(
    make_case: "MakeCase", mode: str, task: str
) -> None:
    report = measure_right(make_case(PLAIN, "jax"), mode, task=task, batch=3)
    names = [f"layers.{place}.{kind}" for place in (0, 1) for kind in ("bias", "kernel")]
    if task == "forward":
        assert name_checks(report) == {"output"}
        assert report.work.flops == 2 * 3 * (6 * 24 + 24 * 5)
    elif task == "backward":
        assert name_checks(report) == {"loss", *(f"gradient of {name}" for name in names)}
    else:
        assert {*(f"move of {name}" for name in names), "move of unused", "move of running_count"} <= name_checks(
            report
        )


@needs_flax
@pytest.mark.parametrize(("mode", "task"), TASKS)
@pytest.mark.long
def test_a_linen_module_is_measured_as_it_is(make_case: "MakeCase", mode: str, task: str) -> None:
    report = measure_right(make_case(LINEN, "jax"), mode, task=task)
    weights = ("BatchNorm_0.bias", "BatchNorm_0.scale", "Embed_0.embedding")
    if task == "forward":
        assert name_checks(report) == {"output 0", "output 1", "output 2"}
    elif task == "backward":
        assert name_checks(report) == {"loss", *(f"gradient of {name}" for name in weights)}
        assert any(each.startswith("dropout is off (layers: 1)") for each in report.notes)
    else:
        assert {f"move of running_batch_stats.BatchNorm_0.{kind}" for kind in ("mean", "var")} <= name_checks(report)


@needs_flax
@pytest.mark.parametrize(("mode", "task"), TASKS)
@pytest.mark.long
def test_an_nnx_module_is_measured_as_it_is(make_case: "MakeCase", mode: str, task: str) -> None:
    report = measure_right(make_case(NNX, "jax"), mode, task=task)
    if task == "backward":
        kinds = ("first.kernel", "first.bias", "norm.scale", "norm.bias", "second.kernel", "second.bias")
        assert name_checks(report) == {"loss", *(f"gradient of {kind}" for kind in kinds)}
        assert any(each.startswith("dropout is off (layers: 1)") for each in report.notes)
    elif task != "forward":
        assert {"move of running_norm.mean", "move of running_norm.var"} <= name_checks(report)


@needs_equinox
@pytest.mark.parametrize(("mode", "task"), TASKS)
@pytest.mark.long
def test_an_equinox_module_is_measured_as_it_is(make_case: "MakeCase", mode: str, task: str) -> None:
    report = measure_right(make_case(EQUINOX, "jax"), mode, task=task)
    if task == "backward":
        kinds = ("layers.0.weight", "layers.0.bias", "layers.2.weight")
        assert name_checks(report) == {"loss", *(f"gradient of {kind}" for kind in kinds)}


@pytest.mark.long
def test_inputs_of_a_fixed_key_are_timed_in_several_orders(make_case: "MakeCase") -> None:
    sets = StoredModel(Path(make_case(PLAIN, "jax").expect().path)).read_sets()
    orders = [each[0].tobytes() for each in sets]
    assert len({*orders[:INPUT_SETS]}) == INPUT_SETS
    assert len({*orders}) > len(sets) / 2  # few numbers have few orders, of which one may come twice
    assert len({tuple(sorted(each[0].ravel())) for each in sets}) == 1


@pytest.mark.long
def test_a_function_draws_the_same_numbers_in_64_bit_mode(make_case: "MakeCase") -> None:
    text = """
        import jax
        table = jax.random.normal(jax.random.key(5), (6, 3))

        def net(x):
            return x @ table
    """
    measure_right(make_case(textwrap.dedent(text), "jax", ("float32[batch,6]",)), "jax:jit", dtype="float64")


@pytest.mark.long
def test_the_arithmetic_of_convolutions_and_loops_is_counted(make_case: "MakeCase") -> None:
    text = """
        import jax
        from jax import lax

        def net(x, kernel, square):
            made = lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            looped, _ = lax.scan(lambda carry, _: (carry @ square, None), square, None, length=5)
            chosen = lax.cond(made.sum() > 0, lambda y: y @ square, lambda y: y, looped)
            return made, chosen
    """
    inputs = ("float32[batch,6,6,2]", "float32[3,3,2,4]", "float32[7,7]")
    report = measure_right(make_case(textwrap.dedent(text), "jax", inputs), "jax:jit", batch=3)
    # Of two branches, the cheaper one is needed at least.
    assert report.work.flops == 2 * 3 * 4 * 4 * 4 * (3 * 3 * 2) + 5 * 2 * 7**3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            PLAIN.replace("return net, {", "return 5, {"),
            "return a function of the inputs, or a tuple of a function and",
        ),
        (PLAIN.replace("return x\n", "return 'text'\n"), "returns a str without arrays"),
        (
            PLAIN.replace("return x\n", "return x * np.random.rand()\n").replace(
                "import jax\n", "import jax, numpy as np\n", 1
            ),
            "draws random numbers",
        ),
    ],
)
@pytest.mark.long
def test_a_model_that_nothing_could_verify_is_refused_in_one_sentence(
    make_case: "MakeCase", text: str, said: str
) -> None:
    last = make_case(text, "jax").refer()
    assert isinstance(last, Failure)
    assert (last.outcome, said in last.reason, "\n" in last.reason) == ("raised", True, False), last.reason


@pytest.mark.long
def test_a_loss_without_parameters_is_refused_with_the_task_that_would_do(make_case: "MakeCase") -> None:
    text = "import jax\ndef double(x):\n    return 2 * x\n"
    last = make_case(text, "jax", ("float32[3]",)).refer(task="backward")
    assert isinstance(last, Failure)
    assert "depends on no parameter; measure it with --tasks forward" in last.reason


@pytest.mark.long
def test_the_dtype_of_the_cell_holds_for_the_whole_model(make_case: "MakeCase") -> None:
    report = make_case(PLAIN, "jax").measure("jax:jit", dtype="bfloat16")
    assert isinstance(report, Report), explain(report)
    (least, most) = (f(check.error for check in report.verification.checks if check.error) for f in (min, max))
    assert 1e-5 < least < most < 4e-2


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("axis", ("axis=-1", "axis=-2")),
        ("bias", ('+ parameters["bias"]', "")),
        ("eps", ("1e-5", "1e-4")),
        ("detached", ("x @ kernel", "jax.lax.stop_gradient(x @ kernel)")),
    ],
)
@pytest.mark.long
def test_a_mutant_of_the_model_is_wrong(make_case: "MakeCase", name: str, change: tuple[str, str]) -> None:
    """Let the mode compute something else than the referee: the model asks which process it is in."""
    model = textwrap.dedent("""
        import jax
        import jax.numpy as jnp

        def net(parameters, x):
            if isinstance(x, jax.core.Tracer):
                return mutate(parameters, x)
            return compute(parameters, x)

        def compute(parameters, x):
            kernel = parameters["kernel"]
            made = x @ kernel + parameters["bias"]
            made = (made - made.mean(-1, keepdims=True)) / jnp.sqrt(made.var(-1, keepdims=True) + 1e-5)
            return jax.nn.softmax(made, axis=-1)

        def mutate(parameters, x):
            kernel = parameters["kernel"]
            made = x @ kernel + parameters["bias"]
            made = (made - made.mean(-1, keepdims=True)) / jnp.sqrt(made.var(-1, keepdims=True) + 1e-5)
            return jax.nn.softmax(made, axis=-1)

        def build():
            return net, {"kernel": jax.random.normal(jax.random.key(2), (6, 8)), "bias": jnp.ones(8)}

        def inputs(batch=1):
            return 0.03 * jax.random.normal(jax.random.key(0), (batch, 4, 6))
    """)
    head, mutated, tail = model.partition("def mutate")
    body, build, rest = tail.partition("def build")
    measure_right(make_case(model, "jax"), "jax:jit", task="backward")
    wrong = make_case(head + mutated + body.replace(*change) + build + rest, "jax").measure("jax:jit", task="backward")
    assert isinstance(wrong, Report), explain(wrong)
    assert "is off by" in wrong.verification.reason, name


# The functions of optax, whose package is not needed for them.
OPTIMIZER = """
from typing import NamedTuple

class State(NamedTuple):
    count: jax.Array
    velocity: dict

class Momentum(NamedTuple):
    init: object
    update: object

def optimizer():
    def init(parameters):
        return State(jnp.zeros((), int), jax.tree.map(jnp.zeros_like, parameters))

    def update(gradients, state, parameters):
        velocity = jax.tree.map(lambda old, new: 0.8 * old + new, state.velocity, gradients)
        rate = 0.05 / (1 + state.count)
        moves = jax.tree.map(lambda move, weight: -rate * (move + 0.1 * weight), velocity, parameters)
        return moves, State(state.count + 1, velocity)

    return Momentum(init, update)
"""


@pytest.mark.parametrize("mode", ["jax:eager", "jax:jit"])
@pytest.mark.long
def test_a_step_with_the_optimiser_of_the_file_is_measured_and_found_right(make_case: "MakeCase", mode: str) -> None:
    report = measure_right(make_case(PLAIN + OPTIMIZER, "jax"), mode, task="train-own", batch=3)
    assert {"move of layers.0.kernel", "move of running_count"} <= name_checks(report)


@pytest.mark.long
def test_an_optimiser_without_the_functions_of_optax_is_refused_in_one_sentence(make_case: "MakeCase") -> None:
    last = make_case(PLAIN + "\ndef optimizer():\n    return 5\n", "jax").refer(task="train-own")
    assert isinstance(last, Failure)
    assert "must return an optimiser of optax, not a value of type int; return one, or choose" in last.reason
