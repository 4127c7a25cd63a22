"""The state of a module: what prepares a mode leaves no trace in it."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from schemas.job import Cell  # noqa: E402
from workers.frameworks.torch import Framework  # noqa: E402
from workers.frameworks.torch_state import keep_buffers  # noqa: E402
from workers.interfaces import Prepared  # noqa: E402


class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)

    def loss(self, x: "torch.Tensor") -> "torch.Tensor":  # type: ignore[name-defined]
        return self.norm(x).square().mean()


def run_phases(ready: object) -> object:
    while isinstance(ready, Prepared):
        ready = ready.prepare()
    return ready


def make_framework(mode: str) -> Framework:
    return Framework(Cell(framework="torch", mode=mode, workload="net", task="train-sgd"))


def test_buffers_get_back_the_values_that_they_had() -> None:
    net, example = Net().train(), torch.randn(4, 3)
    restore = keep_buffers(net)
    net.loss(example)
    assert net.norm.running_mean.abs().sum() > 0
    assert net.norm.num_batches_tracked == 1
    restore()
    assert net.norm.running_mean.tolist() == [0, 0, 0]
    assert net.norm.num_batches_tracked == 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["eager", "trace"])
def test_training_begins_with_the_statistics_that_the_model_had_before_it_was_prepared(mode: str) -> None:
    framework, net, example = make_framework(mode), Net().train(), torch.randn(4, 3)
    step = run_phases(framework.step(net, (example,), [(4, 3)]))
    assert callable(step)
    for _ in range(2):
        assert net.norm.running_mean.tolist() == [0, 0, 0]
        step(example)
        assert net.norm.running_mean.abs().sum() > 0
        framework.trainer.restart()


@pytest.mark.filterwarnings("ignore")
def test_a_saved_trace_has_the_statistics_that_the_model_had(tmp_path: Path) -> None:
    framework, net, example = make_framework("trace"), Net().train(), torch.randn(4, 3)
    write = run_phases(framework.saving(net, (example,), [(4, 3)]))
    assert callable(write)
    write(tmp_path / "net.pt")
    step = run_phases(framework.restoring(tmp_path / "net.pt", (example,), [(4, 3)]))
    assert callable(step)
    # The bias of the normalisation, and the mean that it has seen.
    assert [each.tolist() for each in framework.trainer.state()].count([0.0, 0.0, 0.0]) == 2
