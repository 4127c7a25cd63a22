"""Saved models: a process without the model's source, or beside it, loads them, and computes the same."""

import shutil
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
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
# Without AOTInductor, whose package takes a minute to compile, and without the modes below.
SAVING = [label for label, (_, mode) in KNOWN.items() if mode.saves and mode.name != "aot" and not mode.holds_code]

FROZEN = {"torch:script-freeze", "torch:script-optimized"}
BACKWARD = [label for label in SAVING if label not in FROZEN and "backward" not in KNOWN[label][0].cannot]
FOUR = {"length": 4}
# Modes whose file holds compiled code alone, each with a workload and a task.
CODE = [
    ("torch:compile", "mlp", "backward"),
    ("torch:compile-dynamic", "mlp", "forward"),
    ("torch:compile-max-autotune", "mlp", "forward"),
    ("torch:compile-regional", "gpt", "forward"),
    ("torch:aot-compile", "mlp", "backward"),
]
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


def place_caches(spec: JobSpec, folder: Path) -> Mapping[str, str]:
    """Return the variables of a job that shares no compiled code with any other."""
    return {**spec.variables, "TORCHINDUCTOR_CACHE_DIR": str(folder)}


def save_code(ask: "Ask", work: "Work", case: tuple[str, str, str], folder: Path) -> JobSpec:
    """Let one job save what it compiles; return the spec of another that loads it."""
    label, workload, task = case
    if find_spec("torch") is None or shutil.which("g++") is None:
        pytest.skip("torch and g++ are not installed")
    framework, mode = KNOWN[label]
    spec = ask(framework.name, mode.name, workload, task=task, origin="file", batch=3)
    saving = {"purpose": Export(path=str(folder / "code.bin")), "variables": place_caches(spec, folder / "saving")}
    last = work(spec.model_copy(update=saving)).events[-1]
    assert isinstance(last, Exported), last
    assert last.artefact.size_bytes > 0
    loading = {"artefact": last.artefact, "variables": place_caches(spec, folder / "loading")}
    return spec.model_copy(update=loading)


def test_the_catalog_knows_the_modes_whose_file_holds_code_alone() -> None:
    pytest.importorskip("torch")
    from workers.frameworks.torch_saved import CODE_FORMATS

    labels = {f"torch:{name}" for name in CODE_FORMATS}
    assert labels == {label for label, (_, mode) in KNOWN.items() if mode.holds_code}
    assert labels == {label for label, _, _ in CODE}


@pytest.mark.long
@pytest.mark.parametrize("case", CODE, ids=" ".join)
def test_compiled_code_is_loaded_beside_the_models_source_and_is_what_is_called(
    ask: "Ask", work: "Work", tmp_path: Path, case: tuple[str, str, str]
) -> None:
    events = work(save_code(ask, work, case, tmp_path)).events
    report = verified(events)
    phases = [event.name for event in events if isinstance(event, Phase)]
    assert phases.index("build") < phases.index("load") < phases.index("first_call")
    assert report.compilations == 0
    if case[0] == "torch:aot-compile":
        assert "compile" not in phases
    else:
        found = {setting.got for setting in report.settings if setting.name == "graphs in the loaded caches"}
        assert found == {"all"}


@pytest.mark.long
@pytest.mark.exhaustive
def test_caches_of_another_model_are_not_found_and_the_report_says_so(ask: "Ask", work: "Work", tmp_path: Path) -> None:
    spec = save_code(ask, work, ("torch:compile", "mlp", "forward"), tmp_path)
    sizes = {**spec.cell.parameters, "width": 40}
    other = spec.cell.model_copy(update={"parameters": sizes})
    report = work(spec.model_copy(update={"cell": other})).events[-1]
    assert isinstance(report, Report)
    ignored = [(setting.asked, setting.got) for setting in report.settings if not setting.honoured]
    assert ignored == [("all", "all but 1")]


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
