"""torch.compile ahead of time: one graph, compiled before the first call, for all sizes of the axes that are open."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workers.frameworks.torch_mode import Subject

torch = pytest.importorskip("torch")
torch_ahead = pytest.importorskip("workers.frameworks.torch_ahead")

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Reported


def test_open_axes_are_marked_on_tensors_that_share_the_examples_memory() -> None:
    example = (torch.randn(3, 4), torch.randn(2))
    subject = Subject(torch.nn.Identity(), "forward", example, [(None, 4), (2,)])
    marked = torch_ahead.mark_open_axes(subject)
    assert [getattr(each, "_dynamo_dynamic_indices", set()) for each in marked] == [{0}, set()]
    assert not any(hasattr(each, "_dynamo_dynamic_indices") for each in example)
    assert [each.data_ptr() for each in marked] == [each.data_ptr() for each in example]


COMPILING = """
import sys
from pathlib import Path
import torch
from torch import nn
from workers.frameworks import torch_ahead
from workers.frameworks.torch_compile import count_graphs
from workers.frameworks.torch_mode import Subject


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def loss(self, x):
        return torch.relu(self.layer(x)).square().mean()


torch.manual_seed(0)
model, x = Model(), torch.randn(3, 4)
subject = Subject(model, "loss", (x,), [(None, 4)])
path = Path(sys.stdin.read())
if path.exists():
    compiled = torch_ahead.read_function(path)
else:
    compiled = torch_ahead.compile_function(subject)
    torch_ahead.write_function(compiled, path)
graphs = [count_graphs()]
call, right = torch_ahead.bind_model(compiled, subject), []
for inputs in (x, torch.randn(5, 4)):
    call(inputs).backward()
    made = [each.grad for each in model.parameters()]
    model.zero_grad()
    model.loss(inputs).backward()
    right.append(all(map(torch.allclose, made, [each.grad for each in model.parameters()])))
    model.zero_grad()
try:
    call(torch.randn(5, 4).double())
    refused = False
except RuntimeError:
    refused = True
print([*graphs, count_graphs()], right, refused)
"""


@pytest.mark.long
@pytest.mark.exhaustive
def test_a_loss_is_compiled_before_the_first_call_and_loaded_without_being_captured_again(
    python: "Python", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = str(tmp_path / "function.bin").encode()
    for folder, graphs in (("first", "[1, 1]"), ("second", "[0, 0]")):
        # Another folder each time: nothing of the first process's caches may help the second.
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / folder))
        ended = python(COMPILING, path)
        assert ended.output.decode().strip() == f"{graphs} [True, True] True", ended.log


@pytest.mark.long
def test_the_compilation_is_a_phase_beside_which_the_first_call_is_short(ask: "Ask", reported: "Reported") -> None:
    report = reported(ask("torch", "aot-compile", "mlp", task="backward", batch=3))
    took = {cost.name: cost.wall_ns for cost in report.phases}
    assert took["compile"] > 20 * took["first_call"]
    assert report.compilations == 0
