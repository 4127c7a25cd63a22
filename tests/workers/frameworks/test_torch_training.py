"""Training in PyTorch begins anew with any optimiser, and refuses what cannot train by one call of `step`."""

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from schemas.job import Cell  # noqa: E402
from workers.errors import Malformed  # noqa: E402
from workers.frameworks.torch import Framework  # noqa: E402
from workers.frameworks.torch_mode import AdaptedModel  # noqa: E402
from workers.frameworks.torch_state import find_dropout  # noqa: E402
from workers.frameworks.torch_training import TorchTrainer, check_optimiser  # noqa: E402
from workers.interfaces import Prepared, Step  # noqa: E402

STEPS = 4


class Counting(torch.optim.SGD):  # type: ignore[name-defined, misc]
    """An optimiser that keeps a part of its state in an attribute, and another in its groups."""

    def __init__(self, parameters: list[object]) -> None:
        super().__init__(parameters, lr=0.1)
        self.taken = 0

    def step(self, closure: object = None) -> object:
        self.taken += 1
        for group in self.param_groups:
            group["lr"] /= self.taken
        return super().step(closure)


OPTIMISERS: dict[str, Callable[..., Any]] = {
    "Adagrad": lambda parameters: torch.optim.Adagrad(parameters, lr=0.1),  # makes its state when it is made
    "NAdam": torch.optim.NAdam,
    "Rprop": torch.optim.Rprop,
    "a step of its own": Counting,
}


def make_model() -> "torch.nn.Module":  # type: ignore[name-defined]
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))


@pytest.mark.parametrize("make", OPTIMISERS.values(), ids=OPTIMISERS)
def test_training_begins_anew_wherever_an_optimiser_keeps_its_state(make: Callable[..., Any]) -> None:
    model, inputs = make_model(), torch.ones(5, 4)
    trainer = TorchTrainer(model, make, None)
    step = trainer.make_step(lambda x: model(x).square().sum())
    once = [step(inputs)[0].item() for _ in range(STEPS)]
    moved = [each.detach().clone() for each in trainer.state()]
    trainer.restart()
    assert [step(inputs)[0].item() for _ in range(STEPS)] == once
    assert all(torch.equal(one, other) for one, other in zip(moved, trainer.state(), strict=True))
    assert len(set(once)) > 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda parameters: [torch.optim.SGD(parameters)], "not a value of type list; return one, or choose"),
        (lambda parameters: None, "not a value of type NoneType"),
        (torch.optim.LBFGS, "returns LBFGS, whose step(closure) computes the loss itself; return one whose step()"),
    ],
)
def test_a_value_that_cannot_train_is_refused_with_its_place_and_a_way_out(make: Callable[..., Any], said: str) -> None:
    with pytest.raises(Malformed) as refused:
        check_optimiser(make([*make_model().parameters()]), "net.py:7")
    assert said in str(refused.value)
    assert str(refused.value).endswith("or choose --optimizer sgd, adam or adamw")
    assert refused.value.place == "net.py:7"


@pytest.mark.parametrize("make", [torch.optim.Adam, torch.optim.SparseAdam, Counting])
def test_an_optimiser_whose_closure_is_optional_is_returned_as_it_is(make: Callable[..., Any]) -> None:
    made = make([*make_model().parameters()])
    assert check_optimiser(made, "") is made


def prepare_dropout(mode: str) -> tuple[Framework, Step, Step]:
    """Prepare a step that drops half of its values, and the one without dropout that is verified."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(8)).train()
    dropout, inputs = find_dropout(net), torch.arange(20.0).reshape(5, 4)
    dropout.switch_rates(on=False)
    model = AdaptedModel(net, net, lambda call: call, lambda made: made[:, :4].exp().sum(), lambda: None, None, dropout)
    framework = Framework(Cell(framework="torch", mode=mode, workload="net", task="train-sgd"))
    ready: Step | Prepared[Step] = framework.step(model, (inputs,), [(5, 4)])
    while isinstance(ready, Prepared):
        ready = ready.prepare()
    return framework, ready, framework.get_verified_step(ready)


@pytest.mark.filterwarnings("ignore")  # of TorchScript, which is deprecated and traces at random
@pytest.mark.parametrize("mode", ["eager", "trace", "script"])
def test_a_timed_step_drops_values_and_the_verified_one_does_not(mode: str) -> None:
    framework, timed, verified = prepare_dropout(mode)
    inputs = torch.ones(5, 4) + torch.arange(5.0)[:, None]

    def find_losses(step: Step) -> list[float]:
        framework.trainer.restart()
        return [step(inputs)[0].item() for _ in range(STEPS)]

    first = find_losses(verified)
    assert find_losses(timed) != find_losses(timed)
    assert find_losses(verified) == first
    assert find_losses(timed) != first


def test_a_step_without_dropout_is_verified_as_it_is_timed() -> None:
    framework = Framework(Cell(framework="torch", mode="eager", workload="net", task="train-sgd"))

    def step(*inputs: object) -> tuple[object, ...]:
        return inputs

    assert framework.get_verified_step(step) is step


def test_switching_dropout_changes_rates_alone_and_restores_them() -> None:
    net = torch.nn.ModuleList(
        [torch.nn.LSTM(2, 2, num_layers=2, dropout=0.25), torch.nn.Dropout(0.5), torch.nn.Dropout(0.0)]
    )
    dropout = find_dropout(net)
    assert dropout.layers == 2
    with dropout.switch_off():
        assert (net[0].dropout, net[1].p, net.training) == (0.0, 0.0, True)
    assert (net[0].dropout, net[1].p, net[2].p) == (0.25, 0.5, 0.0)
