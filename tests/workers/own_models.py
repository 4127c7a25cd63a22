"""Small workloads of users, each a kind of model that people have: `write_model(folder, "sparse")` writes one.

A model is the text of its files: `toml` for workload.toml, `reference` for reference.py, and one for each framework.
"""

from pathlib import Path

DRAW = """
def shapes(parameters, batch):
    return (((batch, 6),),)


def inputs(parameters, rng, shapes):
    return tuple(rng.standard_normal(shape) for shape in shapes)
"""
MATRIX = """
def weights(parameters, rng):
    return {"w": rng.standard_normal((6, 6)) / 6**0.5}
"""
TORCH = """
import dataclasses
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, parameters, weights):
        super().__init__()
        self.w = nn.Parameter(weights["w"])
"""
TABLE = """
import autograd.numpy as np
from workers.autodiff import gradients_of


def weights(parameters, rng):
    return {"table.weight": rng.uniform(-1, 1, (1000, 50))}


def shapes(parameters, batch):
    return (((batch, 30),),)


def inputs(parameters, rng, shapes):
    return tuple(rng.integers(0, 1000, shape).astype("int32") for shape in shapes)


def forward(parameters, weights, tokens):
    return weights["table.weight"][tokens]


def loss(parameters, weights, tokens):
    return np.mean(forward(parameters, weights, tokens) ** 2)


backward = gradients_of(loss)
"""
LOOKUP = """
from torch import nn


class Model(nn.Module):
    def __init__(self, parameters):
        super().__init__()
        self.table = nn.Embedding(1000, 50{more})

    def forward(self, tokens):
        return self.table(tokens)

    def loss(self, tokens):
        return self.forward(tokens).square().mean()
"""
BLOCK = """
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, parameters):
        super().__init__()
        self.norm, self.lstm = nn.BatchNorm1d(6), nn.LSTM(6, 4, batch_first=True)
        self.drop, self.head = nn.Dropout({rate}), nn.Linear(4, 2)
        self.register_buffer("scale", torch.full((2,), 0.5))

    def forward(self, x):
        hidden, state = self.lstm(self.norm(x)[:, None])
        return {{"scores": self.head(self.drop(hidden)) * self.scale, "state": state}}

    def loss(self, x):
        return self.forward(x)["scores"].square().mean()
"""
DENSE = """
def weights(parameters, rng):
    return {"weight": rng.standard_normal((5, 6)), "bias": rng.standard_normal(5), "scale": rng.standard_normal(())}


def shapes(parameters, batch):
    return (((batch, 6), (), (batch, 1)),)


def inputs(parameters, rng, shapes):
    return rng.standard_normal(shapes[0]), 2 + rng.standard_normal(()), rng.uniform(size=shapes[2]) < 0.5
"""
COMPLEX = """
import autograd.numpy as np
from workers.autodiff import gradients_of


def weights(parameters, rng):
    return {"w": rng.standard_normal((6, 6)) + 1j * rng.standard_normal((6, 6))}


def shapes(parameters, batch):
    return (((batch, 6),),)


def inputs(parameters, rng, shapes):
    return (rng.standard_normal(shapes[0]) + 1j * rng.standard_normal(shapes[0]),)


def forward(parameters, weights, x):
    return x @ weights["w"]


def loss(parameters, weights, x):
    y = forward(parameters, weights, x)
    return np.mean(np.real(y * np.conj(y)))


backward = gradients_of(loss)
"""

MODELS: dict[str, dict[str, str]] = {
    # An operation: no weights, no loss, and results that are complex.
    "operation": {
        "reference": f"import numpy as np\n{DRAW}\n\ndef forward(parameters, weights, x):\n    return np.fft.fft(x)\n",
        "torch": """
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, parameters, weights):
        super().__init__()

    def forward(self, x):
        return torch.fft.fft(x)
""",
        "jax": """
import jax.numpy as jnp


class Model:
    def __init__(self, parameters, weights):
        self.weights = weights

    def __call__(self, x):
        return jnp.fft.fft(x)
""",
        "tensorflow": """
import tensorflow as tf


class Model(tf.Module):
    def __init__(self, parameters, weights):
        super().__init__()

    def __call__(self, x):
        return tf.signal.fft(tf.cast(x, tf.complex64 if x.dtype == tf.float32 else tf.complex128))
""",
    },
    "table": {"reference": TABLE, "torch": LOOKUP.format(more="")},
    "sparse": {"reference": TABLE, "torch": LOOKUP.format(more=", sparse=True")},
    # Modules of the library as they come, with statistics, another buffer and nested outputs.
    "block": {"toml": 'weights = "torch"', "reference": DRAW, "torch": BLOCK.format(rate=0.0)},
    "dropout": {"toml": 'weights = "torch"', "reference": DRAW, "torch": BLOCK.format(rate=0.3)},
    "complex": {
        "reference": COMPLEX,
        "torch": TORCH
        + """
    def forward(self, x):
        return x @ self.w

    def loss(self, x):
        return self.forward(x).abs().square().mean()
""",
        "jax": """
import jax.numpy as jnp


class Model:
    def __init__(self, parameters, weights):
        self.w = weights["w"]

    def __call__(self, x):
        return x @ self.w

    def loss(self, x):
        return jnp.mean(jnp.abs(self(x)) ** 2)
""",
    },
    # A layer of Keras, whose kernel is transposed, beside PyTorch; numbers and truth values as inputs; nested outputs.
    "dense": {
        "toml": 'reference = "torch"',
        "reference": DENSE,
        "torch": """
from torch import nn


class Model(nn.Module):
    def __init__(self, parameters, weights):
        super().__init__()
        self.weight, self.bias, self.scale = map(nn.Parameter, weights.values())

    def forward(self, x, t, mask):
        return {"z": nn.functional.linear(x, self.weight, self.bias).masked_fill(mask, 0.0), "a": [self.scale * t]}

    def loss(self, x, t, mask):
        made = self.forward(x, t, mask)
        return made["z"].square().sum() + made["a"][0]
""",
        "tensorflow": """
import keras
import tensorflow as tf


class Model(tf.Module):
    def __init__(self, parameters, weights):
        super().__init__()
        self.layer, self.scale = keras.layers.Dense(5), tf.Variable(weights["scale"])
        self.layer.build((None, 6))
        self.layer.kernel.assign(tf.transpose(weights["weight"]))
        self.layer.bias.assign(weights["bias"])
        self.weights = [self.scale, *self.layer.weights]

    def __call__(self, x, t, mask):
        return {"z": tf.where(mask, tf.zeros((), x.dtype), self.layer(x)), "a": [self.scale * t]}

    def loss(self, x, t, mask):
        made = self(x, t, mask)
        return tf.reduce_sum(made["z"] ** 2) + made["a"][0]

    def to_reference(self, arrays):
        scale, kernel, bias = arrays
        return {"weight": kernel.T, "bias": bias, "scale": scale}
""",
        "jax": """
import jax.numpy as jnp


class Model:
    def __init__(self, parameters, weights):
        self.weight, self.bias, self.scale = weights.values()

    def __call__(self, x, t, mask):
        return {"z": jnp.where(mask, 0, x @ self.weight.T + self.bias), "a": [self.scale * t]}

    def loss(self, x, t, mask):
        made = self(x, t, mask)
        return jnp.sum(made["z"] ** 2) + made["a"][0]
""",
    },
    # Random numbers that no layer draws, beside a reference with formulas.
    "noisy": {
        "reference": f"{MATRIX}{DRAW}\n\ndef forward(parameters, weights, x):\n    return x @ weights['w']\n",
        "torch": f"{TORCH}\n    def forward(self, x):\n        return x @ self.w + torch.rand(1, dtype=x.dtype)\n",
    },
    # A dataclass, which no framework flattens by itself.
    "dataclass": {
        "toml": 'reference = "torch"',
        "reference": MATRIX + DRAW,
        "torch": TORCH
        + """
    def forward(self, x):
        return Result(x @ self.w, [x, None])


@dataclasses.dataclass
class Result:
    scores: torch.Tensor
    kept: list
""",
    },
    # Weights or outputs in float32, whatever is asked for.
    "narrow_weight": {
        "toml": 'reference = "torch"',
        "reference": MATRIX + DRAW,
        "torch": TORCH.replace('weights["w"]', 'weights["w"].float()')
        + """
    def forward(self, x):
        return (x.float() @ self.w).to(x.dtype)
""",
    },
    "narrow_output": {
        "toml": 'reference = "torch"',
        "reference": MATRIX + DRAW,
        "torch": TORCH
        + """
    def forward(self, x):
        return x.float() @ self.w.float()
""",
    },
    "growing": {
        "toml": 'reference = "torch"',
        "reference": MATRIX + DRAW,
        "torch": TORCH
        + """
    kept = []

    def forward(self, x):
        self.kept.append(torch.ones(1 << 17))
        return x @ self.w
""",
    },
}


def write_model(folder: Path, name: str) -> Path:
    """Write the files of a model into a folder of its name, and return that folder."""
    texts, made = dict(MODELS[name]), folder / name
    made.mkdir()
    (made / "workload.toml").write_text(f'summary = "{name}"\n{texts.pop("toml", "")}\n')
    for file, text in texts.items():
        (made / f"{file}.py").write_text(text.lstrip())
    return made.resolve()
