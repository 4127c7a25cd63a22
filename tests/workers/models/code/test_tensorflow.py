"""Models of Keras and TensorFlow as they come, measured by real workers and verified against themselves in float64."""

import textwrap
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure, Report
from tests.selection import mark_long
from tests.workers.models.endings import explain, measure_right

if TYPE_CHECKING:
    from tests.workers.conftest import Python
    from tests.workers.models.conftest import MakeCase

pytestmark = pytest.mark.skipif(find_spec("tensorflow") is None, reason="tensorflow is not installed")

PLAIN = """
import keras

def build():
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(24, "tanh", name="a"), keras.layers.Dense(5, name="b")])

def inputs(batch=1):
    return keras.random.normal((batch, 6))
"""  # noqa: E501

# Statistics, dropout, a table whose gradient is rows, a frozen and an unused layer, named and boolean inputs, nesting.
RICH = """
import keras
from keras import layers, ops

class Model(keras.Model):
    def __init__(self, words):
        super().__init__()
        self.table = layers.Embedding(words, 8, name="table")
        self.norm = layers.BatchNormalization(name="norm")
        self.drop = layers.Dropout(0.5)
        self.head = layers.Dense(words, name="head")
        self.unused = layers.Dense(2, name="unused")
        self.frozen = layers.Dense(8, name="frozen", trainable=False)

    def call(self, words, present=None, scale=1.0):
        rows = self.table(words) * ops.cast(present[..., None], self.compute_dtype) * scale
        rows = self.drop(self.norm(self.frozen(rows)))
        self.unused(ops.zeros((1, 3), self.compute_dtype))
        return {"scores": self.head(rows), "others": (rows, None, ops.argmax(rows, -1))}

def get_init_inputs():
    return [30]

def inputs(batch=2, length=5):
    words = keras.random.randint((batch, length), 0, 30)
    return {"words": words, "present": keras.random.uniform((batch, length)) > 0.2, "scale": 0.5}
"""

MODULE = """
import tensorflow as tf

class Layer(tf.Module):
    def __init__(self, width):
        super().__init__()
        self.kernel = tf.Variable(tf.random.normal((6, width)))
        self.biases = [tf.Variable(tf.zeros(width))]

    def __call__(self, x):
        if tf.reduce_sum(x) > 1e9:
            x = -x
        return tf.tanh(x @ self.kernel + self.biases[0])

class Net(tf.Module):
    def __init__(self):
        super().__init__()
        self.layers = {"first": Layer(8)}
        self.again = self.layers["first"]
        self.calls = tf.Variable(0, trainable=False)
        self.last = None

    @tf.function
    def __call__(self, x):
        if self.last is None:
            self.last = tf.Variable(tf.ones((8, 3)))
        return self.layers["first"](x) @ self.last

def build():
    return Net()

def inputs(batch=1):
    return tf.random.normal((batch, 6))
"""

FUNCTION = """
import tensorflow as tf

kernel = tf.Variable(tf.ones((6, 4)) / 8)

def _scale(x):
    return x @ kernel

def net(x, training=True):
    assert not training
    return tf.nn.relu(_scale(x))
"""


@pytest.mark.parametrize(
    ("mode", "task"),
    mark_long(
        [
            (mode, task)
            for mode in ("tensorflow:eager", "tensorflow:function", "tensorflow:xla", "tensorflow:session")
            for task in ("forward", "backward", "train-adam")
        ],
        quick=[("tensorflow:function", "backward")],
    ),
)
def test_a_plain_model_is_measured_in_every_mode_and_found_right(make_case: "MakeCase", mode: str, task: str) -> None:
    report = measure_right(make_case(PLAIN, "tensorflow"), mode, task=task, batch=3)
    names = {check.tensor for check in report.verification.checks}
    weights = {f"sequential/{layer}/{kind}" for layer in ("a", "b") for kind in ("kernel", "bias")}
    due = {
        "forward": {"output"},
        "backward": {"loss"} | {f"gradient of {name}" for name in weights},
        "train-adam": {f"move of {name}" for name in weights},
    }
    assert due[task] <= names
    if task == "forward":
        assert report.work.flops == 2 * 3 * (6 * 24 + 24 * 5)


@pytest.mark.parametrize(
    ("mode", "task"),
    mark_long(
        [
            (mode, task)
            for mode in ("tensorflow:eager", "tensorflow:function", "tensorflow:xla")
            for task in ("forward", "backward", "train-sgd")
        ],
        quick=[("tensorflow:eager", "train-sgd")],
    ),
)
@pytest.mark.long
def test_a_model_with_everything_is_measured_as_it_is(make_case: "MakeCase", mode: str, task: str) -> None:
    report = measure_right(make_case(RICH, "tensorflow"), mode, task=task)
    names = {check.tensor for check in report.verification.checks}
    if task == "forward":
        assert names == {"output 0", "output 1", "output 2"}
    elif task == "backward":
        kinds = ("table/embeddings", "norm/gamma", "norm/beta", "head/kernel", "head/bias")
        assert names == {"loss"} | {f"gradient of model/{kind}" for kind in kinds}
        assert any(each.startswith("dropout is off (layers: 1)") for each in report.notes)
    else:
        assert {"move of model/table/embeddings", "move of model/unused/kernel"} <= names
        assert {"move of running_model/norm/moving_mean", "move of running_model/frozen/kernel"} <= names


@pytest.mark.parametrize(
    ("mode", "task"),
    mark_long(
        [
            (mode, task)
            for mode in ("tensorflow:eager", "tensorflow:function", "tensorflow:xla")
            for task in ("forward", "backward", "train-adam")
        ],
        quick=[("tensorflow:function", "train-adam")],
    ),
)
@pytest.mark.long
def test_a_module_with_variables_anywhere_is_measured_as_it_is(make_case: "MakeCase", mode: str, task: str) -> None:
    report = measure_right(make_case(MODULE, "tensorflow"), mode, task=task)
    names = {check.tensor for check in report.verification.checks}
    if task != "forward":
        kind = "gradient" if task == "backward" else "move"
        assert {f"{kind} of {name}" for name in ("layers.first.kernel", "layers.first.biases.0", "last")} <= names


@pytest.mark.long
def test_a_function_is_measured_with_the_variables_that_it_refers_to(make_case: "MakeCase") -> None:
    case = make_case(FUNCTION, "tensorflow", ("float32[batch,6]",))
    report = measure_right(case, "tensorflow:function", batch=5, dtype="float64")
    assert report.work.flops == 2 * 5 * 6 * 4


@pytest.mark.long
@pytest.mark.parametrize(("task", "flops"), [("forward", 1), ("backward", 2)])
def test_the_arithmetic_of_convolutions_is_counted(make_case: "MakeCase", task: str, flops: int) -> None:
    text = """
        import tensorflow as tf
        kernel, depthwise = tf.Variable(tf.ones((3, 3, 2, 4))), tf.Variable(tf.ones((2, 2, 4, 1)))

        def net(x):
            made = tf.nn.conv2d(x, kernel, 1, "VALID")
            return tf.nn.depthwise_conv2d(made, depthwise, (1, 1, 1, 1), "VALID") if DEPTHWISE else made
    """
    text = textwrap.dedent(text).replace("DEPTHWISE", str(task == "forward"))
    report = measure_right(
        make_case(text, "tensorflow", ("float32[batch,6,6,2]",)), "tensorflow:function", task=task, batch=3
    )
    convolution = 2 * 3 * 4 * 4 * 4 * (3 * 3 * 2)
    # The gradient of the inputs is not needed.
    assert report.work.flops == convolution * flops + (2 * 3 * 3 * 3 * 4 * (2 * 2) if task == "forward" else 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAIN.replace("return keras.Sequential", "return 5, keras.Sequential"), "gives a tuple, which is no model"),
        (FUNCTION.replace("relu(_scale(x))", "dropout(_scale(x), 0.5)"), "draws random numbers"),
        (FUNCTION.replace("tf.nn.relu(_scale(x))", "str(x)"), "returns a str without arrays"),
    ],
)
@pytest.mark.long
def test_a_model_that_nothing_could_verify_is_refused_in_one_sentence(
    make_case: "MakeCase", text: str, said: str
) -> None:
    inputs = () if "inputs" in text else ("float32[batch,6]",)
    last = make_case(text, "tensorflow", inputs).refer()
    assert isinstance(last, Failure)
    assert (last.outcome, said in last.reason, "\n" in last.reason) == ("raised", True, False), last.reason


@pytest.mark.long
def test_a_loss_without_variables_is_refused_with_the_task_that_would_do(make_case: "MakeCase") -> None:
    text = "import tensorflow as tf\ndef double(x):\n    return 2 * x\n"
    last = make_case(text, "tensorflow", ("float32[3]",)).refer(task="backward")
    assert isinstance(last, Failure)
    assert "depends on no parameter; measure it with --tasks forward" in last.reason


@pytest.mark.long
def test_where_float64_cannot_run_only_agreement_is_checked_and_that_is_said(make_case: "MakeCase") -> None:
    text = PLAIN.replace('"tanh"', '"tanh", dtype="float32"')
    report = make_case(text, "tensorflow").measure("tensorflow:eager")
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason == ""
    assert "a layer of Keras computes in float32 only" in report.verification.agreement


@pytest.mark.long
def test_a_model_that_the_file_makes_when_it_is_loaded_takes_the_dtype_of_the_cell(make_case: "MakeCase") -> None:
    text = PLAIN.replace("def build():\n    return", "model =")
    report = make_case(text, "tensorflow").measure("tensorflow:eager", dtype="bfloat16")
    assert isinstance(report, Report), explain(report)
    (least, most) = (f(check.error for check in report.verification.checks if check.error) for f in (min, max))
    assert 1e-5 < least < most < 4e-2


@pytest.mark.long
def test_a_model_of_named_inputs_takes_them_as_one_dict(make_case: "MakeCase") -> None:
    text = """
        import keras
        ends = {"left": keras.Input((3,)), "right": keras.Input((3,))}
        model = keras.Model(ends, keras.layers.Dense(2)(ends["left"] * ends["right"]))

        def inputs(batch=1):
            return {name: keras.random.normal((batch, 3)) for name in ("left", "right")}
    """
    measure_right(make_case(textwrap.dedent(text), "tensorflow"), "tensorflow:function", batch=2)


@pytest.mark.parametrize(
    ("name", "change"),
    mark_long(
        [
            ("axis", ("axis=-1", "axis=-2")),
            ("bias", ("+ self.bias", "")),
            ("eps", ("1e-5", "1e-4")),
            ("detached", ("x @ self.kernel", "tf.stop_gradient(x @ self.kernel)")),
        ],
        quick=[("eps", ("1e-5", "1e-4"))],
    ),
)
@pytest.mark.long
def test_a_mutant_of_the_model_is_wrong(make_case: "MakeCase", name: str, change: tuple[str, str]) -> None:
    """Let the mode compute something else than the referee: the model asks which process it is in."""
    model = textwrap.dedent("""
        import tensorflow as tf

        class Net(tf.Module):
            def __init__(self):
                super().__init__()
                self.kernel = tf.Variable(tf.random.normal((6, 8)))
                self.bias = tf.Variable(tf.ones(8))

            def __call__(self, x):
                if x.dtype == tf.float32 and not tf.executing_eagerly():
                    return self.mutate(x)
                return self.compute(x)

            def compute(self, x):
                made = x @ self.kernel + self.bias
                mean, variance = tf.nn.moments(made, axes=[-1], keepdims=True)
                return tf.nn.softmax((made - mean) / tf.sqrt(variance + 1e-5), axis=-1)

            def mutate(self, x):
                made = x @ self.kernel + self.bias
                mean, variance = tf.nn.moments(made, axes=[-1], keepdims=True)
                return tf.nn.softmax((made - mean) / tf.sqrt(variance + 1e-5), axis=-1)

        def inputs(batch=1):
            return 0.03 * tf.random.normal((batch, 4, 6))
    """)
    head, mutated, tail = model.partition("def mutate")
    measure_right(make_case(model, "tensorflow"), "tensorflow:function", task="backward")
    text = head + mutated + tail.replace(*change)
    wrong = make_case(text, "tensorflow").measure("tensorflow:function", task="backward")
    if name in ("bias", "detached"):  # parts that the loss depends on in the model alone
        assert isinstance(wrong, Failure)
        assert "a gradient is None" in wrong.reason
    else:
        assert isinstance(wrong, Report), explain(wrong)
        assert "is off by" in wrong.verification.reason


OPTIMIZER = """
def optimizer():
    return keras.optimizers.AdamW(0.01, weight_decay=0.1, use_ema=True, ema_overwrite_frequency=2)
"""


@pytest.mark.long
@pytest.mark.parametrize("mode", [f"tensorflow:{x}" for x in ("eager", "function", "xla", "session")])
def test_a_step_with_the_optimiser_of_the_file_is_measured_and_found_right(make_case: "MakeCase", mode: str) -> None:
    case = make_case(PLAIN + OPTIMIZER, "tensorflow")
    names = {check.tensor for check in measure_right(case, mode, task="train-own", batch=3).verification.checks}
    assert "move of sequential/a/kernel" in names


@pytest.mark.long
def test_an_optimiser_of_another_library_is_refused_in_one_sentence(make_case: "MakeCase") -> None:
    last = make_case(PLAIN + "\ndef optimizer():\n    return 'adam'\n", "tensorflow").refer(task="train-own")
    assert isinstance(last, Failure)
    assert "must return an optimiser of keras.optimizers, not a value of type str; return one, or" in last.reason


NOTE = (
    "dropout is on in timed steps (layers: 1) and off in verified ones, which are prepared in the same way; "
    "a session leaves it off"
)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["tensorflow:function", "tensorflow:session"])
def test_dropout_is_on_in_timed_steps_and_off_in_verified_ones_and_that_is_said(
    make_case: "MakeCase", mode: str
) -> None:
    assert measure_right(make_case(RICH, "tensorflow"), mode, task="train-adamw").notes == (NOTE,)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["eager", "function", "xla"])
def test_a_timed_step_drops_values_and_the_verified_one_does_not(python: "Python", mode: str) -> None:
    ended = python(DROPPING.replace("MODE", mode))
    assert ended.output.split() == [b"False", b"True", b"True"], ended.log


DROPPING = """
import keras, tensorflow as tf
from schemas.job import Cell
from workers.frameworks.tensorflow import Framework
from workers.interfaces import Prepared
from workers.models.code import keras_layers
from workers.models.code.tensorflow import AdaptedModel

net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dropout(0.5)])
dropout = keras_layers.find_dropout([net])
dropout.switch_rates(on=False)
variables = {"weights": [each.value for each in net.trainable_weights], "running": []}
variables["all"] = variables["weights"]
model = AdaptedModel(lambda x: net(x, training=True), lambda y: tf.reduce_sum(tf.exp(y)), variables, None, dropout)
framework = Framework(Cell(framework="tensorflow", mode="MODE", workload="net", task="train-sgd"))
x = tf.ones((5, 4)) / 4
timed = framework.step(model, (x,), [(5, 4)])
while isinstance(timed, Prepared):
    timed = timed.prepare()
verified = framework.get_verified_step(timed)

def find_losses(step):
    framework.trainer.restart()
    return [float(step(x)[0]) for _ in range(3)]

first = find_losses(verified)
print(find_losses(timed) == find_losses(timed), find_losses(verified) == first, find_losses(timed) != first)
"""
