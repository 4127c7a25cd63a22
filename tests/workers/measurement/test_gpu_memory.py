"""A GPU's memory and energy, with doubles of the library and the framework; no figures without a GPU."""

import os
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure
from workers.interfaces import Allocated
from workers.measurement import energy, gpu_memory, nvml
from workers.measurement.nvml import Nvml

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported, Work

MIB = 1 << 20
SOURCE = Path(__file__).resolve().parents[2] / "doubles" / "nvml.c"


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Compile NVML for a machine without a GPU."""
    if (compiler := shutil.which("gcc") or shutil.which("cc")) is None:
        pytest.skip("no C compiler is installed")
    built = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, SOURCE], check=True)
    return str(built)


@pytest.fixture
def gpu(library: str, monkeypatch: pytest.MonkeyPatch) -> Nvml:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("NVML_OWN", str(7 * MIB))
    found = nvml.open_gpu(library)
    assert found is not None
    return found


class Computing:
    """A framework with its own pool: each call allocates some memory, and the peak can be reset."""

    def __init__(self, *, resettable: bool = True) -> None:
        self.now, self.peak, self.resettable, self.calls = 3 * MIB, 50 * MIB, resettable, 0

    def device_memory(self) -> Allocated:
        return Allocated(self.now, self.peak, 64 * MIB, since_start=not self.resettable)

    def reset_device_peak(self) -> None:
        if self.resettable:
            self.peak = self.now

    def call(self, number: int) -> None:
        self.calls += 1
        self.peak = max(self.peak, self.now + 4 * MIB)


def test_the_peak_is_that_of_the_calls_that_are_looked_at(gpu: Nvml) -> None:
    framework = Computing()
    found = gpu_memory.measure_device_memory(framework, framework.call, gpu)
    assert found is not None
    assert framework.calls == gpu_memory.CALLS
    assert (found.allocated, found.peak, found.reserved) == (3 * MIB, 7 * MIB, 64 * MIB)
    assert not found.since_start


def test_a_peak_that_cannot_be_set_back_is_said_to_be_that_of_the_whole_process(gpu: Nvml) -> None:
    framework = Computing(resettable=False)
    found = gpu_memory.measure_device_memory(framework, framework.call, gpu)
    assert found is not None
    assert (found.peak, found.since_start) == (50 * MIB, True)


def test_the_driver_speaks_of_our_own_processes_alone(gpu: Nvml) -> None:
    framework = Computing()
    found = gpu_memory.measure_device_memory(framework, framework.call, gpu)
    assert found is not None
    assert (found.device, found.process) == ("a GPU", 7 * MIB)
    assert gpu.read_process_bytes([os.getpid() + 1]) is None


def test_what_the_driver_does_not_count_is_null_and_not_zero(gpu: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVML_OWN", str(nvml.NOT_AVAILABLE))
    assert gpu.read_process_bytes([os.getpid()]) is None


@pytest.mark.parametrize(
    ("visible", "name"),
    [(None, "a GPU"), ("2,0", "the third"), ("GPU-1234", "a GPU"), ("7", None), ("-1", None), ("", None)],
)
def test_the_gpu_is_the_first_that_may_be_used(
    library: str, monkeypatch: pytest.MonkeyPatch, visible: str | None, name: str | None
) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = nvml.open_gpu(library)
    assert (found.read_name() if found else None) == name


def test_without_a_driver_or_with_one_that_does_not_start_there_is_no_gpu(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nvml.open_gpu("libno-such-library.so.1") is None
    monkeypatch.setenv("NVML_REFUSES", "9")
    assert nvml.open_gpu(library) is None


def test_the_joules_of_a_gpu_are_those_since_the_meter_was_read(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(nvml.open_gpu, "__defaults__", (library, 0))
    used = energy.start_meter("cuda")(100)
    assert used is not None
    assert (used.joules, used.calls, used.source) == (2.5, 100, "NVML, whole GPU")


def test_on_a_cpu_there_is_no_device_and_no_figure_for_one(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("numpy", "eager", "mlp"))
    assert found.memory is not None
    assert found.memory.device is None
    framework: Callable[[], object] = object
    assert gpu_memory.measure_device_memory(framework(), lambda _: None, None) is None


@pytest.mark.parametrize(("framework", "mode"), [("torch", "eager"), ("tensorflow", "eager")])
def test_a_framework_that_sees_no_gpu_says_so(ask: "Ask", work: "Work", framework: str, mode: str) -> None:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    last = work(ask(framework, mode, "mlp", device="cuda"), CUDA_VISIBLE_DEVICES="-1").events[-1]
    assert isinstance(last, Failure)
    assert (last.outcome, last.where) == ("unsupported", "")
    assert "sees no GPU" in last.reason
