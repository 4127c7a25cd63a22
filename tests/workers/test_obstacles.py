"""Errors of compilers, as real ones raise them, are explained with their place and the next thing to try."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from workers.obstacles import explain_obstacle

NEEDS_TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
NEEDS_JAX = pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
NEEDS_TENSORFLOW = pytest.mark.skipif(find_spec("tensorflow") is None, reason="tensorflow is not installed")

HEAD = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from workers.obstacles import explain_obstacle
try:
    import model
except BaseException as error:
    print(explain_obstacle(error, Path({folder!r})))
"""

CASES = {
    "torch.export": (
        """
        import torch
        class Net(torch.nn.Module):
            def forward(self, x):
                if x.mean() > 0:
                    return x
                return -x
        torch.export.export(Net(), (torch.ones(3),))
        """,
        "its control flow depends on the values of tensors",
        "model.py:4",
        "torch.where or torch.cond",
    ),
    "torch.jit source": (
        """
        import torch
        import dataclasses
        @dataclasses.dataclass
        class Result:
            x: torch.Tensor
        class Net(torch.nn.Module):
            def forward(self, x):
                return Result(x).x
        torch.jit.script(Net())
        """,
        "TorchScript compiles source code, and has none of ",
        "",
        "measure torch:trace or torch:compile instead",
    ),
    "torch.jit syntax": (
        """
        import torch
        class Net(torch.nn.Module):
            def forward(self, x):
                async def later():
                    return x
                return x
        torch.jit.script(Net())
        """,
        "TorchScript does not support this: ",
        "model.py:",
        "measure torch:trace or torch:compile instead",
    ),
    "torch.jit types": (
        """
        import torch
        def scale(x, by: float):
            return x * by
        class Net(torch.nn.Module):
            def forward(self, x):
                return scale(x, 2)
        torch.jit.script(Net())
        """,
        "TorchScript does not accept this: Expected a value of type 'float' for argument 'by' but instead found",
        "model.py:6",
        "rewrite that line",
    ),
    "jax": (
        """
        import jax, jax.numpy as jnp
        def forward(x):
            return x if x.mean() > 0 else -x
        jax.jit(forward)(jnp.ones(3))
        """,
        "its control flow depends on the values of arrays",
        "model.py:3",
        "jax.lax.cond or jnp.where",
    ),
    "tensorflow": (
        """
        import tensorflow as tf
        @tf.function(autograph=False)
        def forward(x):
            return x if tf.reduce_mean(x) > 0 else -x
        forward(tf.ones(3))
        """,
        "its control flow depends on the values of tensors",
        "model.py:4",
        "tf.cond or tf.where",
    ),
}


def explain(folder: Path, text: str) -> str:
    lines = text.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    folder.joinpath("model.py").write_text("\n".join(line[indent:] for line in lines) + "\n")
    root = str(Path(__file__).resolve().parents[2])
    folder.joinpath("explain.py").write_text(HEAD.format(root=root, folder=str(folder)))
    command = [sys.executable, "explain.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("torch.export", marks=[NEEDS_TORCH, pytest.mark.long]),
        pytest.param("torch.jit source", marks=NEEDS_TORCH),
        pytest.param("torch.jit syntax", marks=NEEDS_TORCH),
        pytest.param("torch.jit types", marks=NEEDS_TORCH),
        pytest.param("jax", marks=NEEDS_JAX),
        pytest.param("tensorflow", marks=[NEEDS_TENSORFLOW, pytest.mark.long]),
    ],
)
def test_a_real_error_is_explained_with_its_place_and_a_remedy(tmp_path: Path, kind: str) -> None:
    text, sentence, place, remedy = CASES[kind]
    said = explain(tmp_path, text)
    assert said.startswith(sentence), said
    assert place in said
    assert remedy in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "No decompositions registered for it: <OpOverload(op='aten.fft_rfft2', overload='x')>",
            "ONNX has no translation of aten.fft_rfft2; measure torch:aot or torch:compile instead",
        ),
        ("operator torchvision::nms does not exist", "the installed torchvision does not fit this PyTorch"),
        ("something else", ""),
    ],
)
def test_a_message_is_recognised_and_an_unknown_one_is_left_alone(tmp_path: Path, message: str, said: str) -> None:
    found = explain_obstacle(RuntimeError(message), tmp_path)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_the_cause_of_an_error_counts_as_well(tmp_path: Path) -> None:
    error = RuntimeError("cannot export")
    error.__cause__ = RuntimeError("Could not guard on data-dependent expression")
    assert explain_obstacle(error, tmp_path).startswith("its control flow depends on the values of tensors")
