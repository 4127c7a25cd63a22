"""torch.compile by regions: blocks are found, and equal ones share one graph. Saved caches are found again."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.workloads import WORKLOADS, Workload
from workers import workloads

nn = pytest.importorskip("torch.nn")
torch_compile = pytest.importorskip("workers.frameworks.torch_compile")
own = pytest.importorskip("workers.workloads.gpt.torch")

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.workers.conftest import Ask, Python, Reported

IMPLEMENTED = [each for each in WORKLOADS if each.name != "synthetic"]

# Those with blocks of one class in a list, and their number at the default sizes.
REGIONS = {"gpt": 2, "gpt_steps": 2, "transformer_encoder": 2, "resnet": 4}


def make_block(width: int = 4) -> object:
    return nn.TransformerEncoderLayer(width, 2)


def make_norm() -> object:
    """Make a module without parts, of a class that is not PyTorch's."""
    return own.Norm(torch_compile.torch.ones(4), torch_compile.torch.zeros(4))


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: nn.ModuleList([make_block(), make_block()]), ["0", "1"]),
        (lambda: nn.ModuleList([make_block(), make_block(8)]), ["0", "1"]),
        (lambda: nn.Sequential(nn.Linear(4, 4), make_block(), make_block(), nn.Linear(4, 4)), ["1", "2"]),
        (lambda: nn.Sequential(nn.Flatten(), nn.ModuleList([make_norm(), make_norm()])), ["1.0", "1.1"]),
        (lambda: nn.ModuleList([nn.Sequential(make_block(), make_block()) for _ in range(2)]), ["0", "1"]),
        (lambda: nn.ModuleList([nn.Sequential(make_block(), make_block())]), ["0.0", "0.1"]),
        (lambda: nn.TransformerEncoder(make_block(), 2, enable_nested_tensor=False), ["layers.0", "layers.1"]),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), []),
        (lambda: nn.ModuleList([make_block(), make_norm()]), []),
        (make_block, []),
    ],
)
def test_regions_are_the_blocks_of_one_class_in_a_list(make: Callable[[], Any], names: "Sequence[str]") -> None:
    model = make()
    paths = {id(each): name for name, each in model.named_modules()}
    assert [paths[id(region)] for region in torch_compile.find_regions(model)] == names


def test_what_is_no_module_has_no_region() -> None:
    assert list(torch_compile.find_regions(len)) == []


@pytest.mark.parametrize("workload", IMPLEMENTED, ids=lambda each: each.name)
def test_these_built_in_workloads_have_regions(workload: Workload) -> None:
    sizes = {size.name: size.default for size in workload.parameters}
    reference = workloads.import_reference(workload.name)
    weights = reference.weights(sizes, np.random.default_rng(0))
    tensors = {name: torch_compile.torch.tensor(value) for name, value in weights.items()}
    model = workloads.import_implementation(workload.name, "torch").Model(sizes, tensors)
    assert len(list(torch_compile.find_regions(model))) == REGIONS.get(workload.name, 0)


COUNTING = """
import torch
from torch import nn
from workers.frameworks.torch_compile import compile_regions, count_graphs
from workers.frameworks.torch_mode import Subject

torch.compiler.set_default_backend("eager")


class Block(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(layers))

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x)
        return x


class Model(nn.Module):
    def __init__(self, sizes, first):
        super().__init__()
        self.first, self.blocks = first, nn.ModuleList(map(Block, sizes))

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return x

    def loss(self, x):
        return self.forward(x).square().mean()


def count(sizes, method, first):
    torch.compiler.reset()
    before, model, x = count_graphs(), Model(sizes, first), torch.randn(2, 4)
    due = getattr(model, method)(x)
    call = compile_regions(Subject(model, method, (x,), [(2, 4)]))
    assert torch.equal(call(x), due)
    return count_graphs() - before


with torch.no_grad():
    print(count([1] * 12, "forward", nn.Identity()), count(range(1, 13), "forward", nn.Identity()))
print(count([1] * 12, "loss", nn.Linear(4, 4)), count([1] * 12, "loss", nn.Identity()))
"""


def test_equal_blocks_share_one_graph_and_every_unlike_one_has_its_own(python: "Python") -> None:
    ended = python(COUNTING)
    forward, backward = (line.split() for line in ended.output.splitlines())
    assert forward == [b"1", b"12"], ended.log
    # Without a layer before it, the first block's input has no gradient, and those of the others have one.
    assert backward == [b"1", b"2"], ended.log


@pytest.mark.long
@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("workload", "task"), [("transformer_encoder", "backward"), ("gpt", "backward"), ("resnet", "forward")]
)
def test_a_model_of_blocks_is_right_by_regions(ask: "Ask", reported: "Reported", workload: str, task: str) -> None:
    report = reported(ask("torch", "compile-regional", workload, task=task, batch=2))
    assert report.verification.reason == ""
    assert report.compilations == 0


def test_caches_that_cannot_be_read_are_an_error_and_no_compilation(tmp_path: Path) -> None:
    path = tmp_path / "caches.bin"
    path.write_bytes(b"no caches")
    with pytest.raises(RuntimeError, match=r"cannot read caches\.bin"):
        torch_compile.load_caches(path)


def test_a_counter_that_nothing_has_counted_is_zero() -> None:
    assert torch_compile.read_counter("no such group", "no such counter") == 0
