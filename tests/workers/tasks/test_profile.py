"""Profiles of a small network: traces that can be opened, and known counts."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from schemas.catalog import FRAMEWORKS
from schemas.event import Event, Exported, Failure, Phase, Profiled
from schemas.job import Export, Profile
from workers.profilers import PROFILED_CALLS

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work


LAYERS, RELUS = 3, 2


KNOWN: dict[str, dict[str, float]] = {
    "torch:eager": {"dispatches": LAYERS + RELUS},
    "torch:script": {"dispatches": LAYERS + RELUS},
    "tensorflow:eager": {},
    "tensorflow:function": {"dispatches": 1},
    "tensorflow:xla": {"dispatches": 1},
    "tensorflow:session": {},
    "jax:jit": {"dispatches": 1},
    "onnxruntime:session": {"kernels": LAYERS},
    "openvino:compiled": {},
}


QUICK = ["torch:eager", "tensorflow:function", "jax:jit", "onnxruntime:session", "openvino:compiled"]


COUNTED = {
    "tensorflow:eager": "dispatches",
    "tensorflow:function": "graph operations",
    "tensorflow:xla": "fused groups",
    "tensorflow:session": "graph operations",
    "jax:jit": "fused groups",
    "openvino:compiled": "kernels",
    "torch:eager": "operations",
    "torch:script": "graph nodes",
    "onnxruntime:session": "kernels",
}


Look = Callable[[str], list[Event]]


@pytest.fixture(scope="session")
def look(ask: "Ask", work: "Work", tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Return a function that profiles the forward pass of `mlp` in a mode and returns the job's events."""
    folder = tmp_path_factory.mktemp("profiles")

    def of(label: str) -> list[Event]:
        name, mode = label.split(":")
        (known,) = (each for each in FRAMEWORKS if each.name == name)
        for package in (known.package, *known.also_needs):
            if find_spec(package) is None:
                pytest.skip(f"{package} is not installed")
        spec = ask(name, mode, "mlp", task="forward", batch=3)
        if known.exporter:
            exported = work(spec.model_copy(update={"purpose": Export(path=str(folder / "model.onnx"))})).events[-1]
            assert isinstance(exported, Exported)
            spec = spec.model_copy(update={"artefact": exported.artefact})
        return work(spec.model_copy(update={"purpose": Profile(path=str(folder / f"{name}-{mode}.json"))})).events

    return of


def slices(path: Path) -> list[dict[str, Any]]:
    return [event for event in json.loads(path.read_text())["traceEvents"] if event.get("ph") == "X"]


@pytest.mark.long
@pytest.mark.parametrize("label", KNOWN)
def test_a_call_is_made_of_what_it_is_known_to_be_and_its_trace_can_be_opened(look: Look, label: str) -> None:
    events = look(label)
    found = events[-1]
    assert isinstance(found, Profiled), found
    assert found.calls == PROFILED_CALLS
    assert {name: found.counts[name] for name in KNOWN[label]} == KNOWN[label]
    assert COUNTED[label] in found.counts
    assert all(count >= 0 for count in found.counts.values())
    traced = slices(Path(found.trace.path))
    assert traced
    assert all(each["dur"] >= 0 and each["name"] for each in traced)
    phases = [event.name for event in events if isinstance(event, Phase)]
    assert phases[-1] == "profile"
    assert not {"warm_up", "steady", "memory"} & set(phases)


def test_a_framework_without_a_profiler_says_so_before_it_builds_anything(look: Look) -> None:
    *before, last = look("numpy:eager")
    assert isinstance(last, Failure)
    assert last.outcome == "unsupported"
    assert not [event for event in before if isinstance(event, Phase)]
