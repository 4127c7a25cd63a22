"""Saved models: a process without the model's source loads them, and computes the same."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from schemas.catalog import FRAMEWORKS, Framework, Mode
from schemas.event import Event, Exported, Failure, Phase, Report
from schemas.job import Export, JobSpec

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Work

KNOWN: dict[str, tuple[Framework, Mode]] = {
    f"{framework.name}:{mode.name}": (framework, mode) for framework in FRAMEWORKS for mode in framework.modes
}
# Without AOTInductor, whose package takes a minute to compile.
SAVING = [label for label, (_, mode) in KNOWN.items() if mode.saves and mode.name != "aot"]

FROZEN = {"torch:script-freeze", "torch:script-optimized"}
BACKWARD = [label for label in SAVING if label not in FROZEN and "backward" not in KNOWN[label][0].cannot]
FOUR = {"length": 4}
QUICK = ["torch:script", "tensorflow:function", "jax:jit"]

Saved = Callable[..., tuple[JobSpec, Event]]
Loaded = Callable[..., list[Event]]


@pytest.fixture(scope="session")
def saved(ask: "Ask", work: "Work", tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Saves a cell, and returns its spec and the last event of the job that saves it."""
    folder = tmp_path_factory.mktemp("saved")

    def of(label: str, workload: str, task: str, sizes: dict[str, int] | None = None) -> tuple[JobSpec, Event]:
        framework, mode = KNOWN[label]
        for package in (framework.package, *framework.also_needs):
            if find_spec(package) is None:
                pytest.skip(f"{package} is not installed")
        spec = ask(framework.name, mode.name, workload, sizes, task=task, origin="file", batch=3)
        path = folder / f"{spec.cell.id}{mode.suffix}"
        return spec, work(spec.model_copy(update={"purpose": Export(path=str(path))})).events[-1]

    return of


@pytest.fixture
def loaded(saved: Saved, work: "Work") -> Loaded:
    """Returns all events of a job that loads what another has saved."""

    def of(*cell: object) -> list[Event]:
        spec, last = saved(*cell)
        assert isinstance(last, Exported), last
        assert last.artefact.written_ns > 0
        return work(spec.model_copy(update={"artefact": last.artefact})).events

    return of


def verified(events: list[Event]) -> Report:
    report = events[-1]
    assert isinstance(report, Report), report
    assert report.verification.reason == ""
    assert [setting for setting in report.settings if not setting.honoured] == []
    return report


@pytest.mark.long
@pytest.mark.parametrize("label", SAVING)
def test_what_was_saved_is_loaded_and_computes_the_same(loaded: Loaded, label: str) -> None:
    events = loaded(label, "mlp", "forward")
    report = verified(events)
    phases = [event.name for event in events if isinstance(event, Phase)]
    assert phases.index("build") < phases.index("load") < phases.index("first_call")
    assert not {"trace", "export"} & set(phases)
    assert report.compilations in (0, None)


@pytest.mark.long
@pytest.mark.parametrize("label", BACKWARD)
def test_so_is_a_loss_with_every_gradient(loaded: Loaded, label: str) -> None:
    report = verified(loaded(label, "rnn_cell", "backward"))
    assert {check.tensor for check in report.verification.checks} == {"loss", "gradient of W_h", "gradient of W_x"}


@pytest.mark.long
@pytest.mark.parametrize("label", [*QUICK, "tensorflow:session"])
def test_what_was_saved_with_an_open_length_is_right_on_others(loaded: Loaded, label: str) -> None:
    report = verified(loaded(label, "rnn", "forward", FOUR))
    assert len({check.inputs for check in report.verification.checks if "of shape" in check.inputs}) == 2


@pytest.mark.long
@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("torch:eager", "torch.export cannot leave open what the inputs decide"),
        ("tensorflow:xla", "a saved XLA graph is fixed to the shapes it was traced for"),
    ],
)
def test_what_cannot_be_left_open_is_not_saved_and_says_so(saved: Saved, label: str, reason: str) -> None:
    _, last = saved(label, "rnn", "forward", FOUR)
    assert isinstance(last, Failure)
    assert (last.outcome, last.where) == ("unsupported", "")
    assert reason in last.reason


@pytest.mark.long
def test_a_traced_loop_is_wrong_at_another_length_from_its_file_too(loaded: Loaded) -> None:
    report = loaded("torch:trace", "rnn", "forward", FOUR)[-1]
    assert isinstance(report, Report)
    assert "inputs of shape" in report.verification.reason


def test_a_process_that_loads_cannot_import_the_models_source(python: "Python") -> None:
    ended = python(
        "from workers import workloads\n"
        "from workers.errors import Unsupported\n"
        "workloads.block_implementations('mlp')\n"
        "workloads.import_reference('mlp')\n"
        "try:\n    workloads.import_implementation('mlp', 'torch')\n"
        "except Unsupported:\n    print('gone')\n"
    )
    assert ended.output.strip() == b"gone"
