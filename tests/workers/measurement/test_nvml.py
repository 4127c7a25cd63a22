"""A GPU's counters, read by nvidia-ml-py from a simulated driver; no figures without a GPU, a driver or the package."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Report
from tests.workers.conftest import run_process
from tests.workers.measurement.conftest import LIBRARY
from tests.workers.measurement.simulated_gpu import MIB, WITHOUT_PACKAGE
from workers.measurement import nvml
from workers.measurement.nvml import Gpu

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work


@pytest.fixture
def measured(ask: "Ask", work: "Work", driver: Path) -> "Measured":
    return Measured(ask, work, driver)


class Measured:
    """A cell on the simulated GPU, measured by a worker."""

    def __init__(self, ask: "Ask", work: "Work", driver: Path) -> None:
        self.spec = ask("numpy", "eager", "mlp", device="cuda").model_copy(
            update={"module": "tests.workers.measurement.simulated_gpu"}
        )
        self.work, self.variables = work, {"LD_LIBRARY_PATH": str(driver.parent), "CUDA_VISIBLE_DEVICES": "2"}

    def report(self, **variables: str) -> Report:
        return self.work(self.spec, **(self.variables | variables)).report


def test_a_worker_on_a_gpu_reports_its_memory_by_both_counts_and_its_energy(measured: Measured) -> None:
    report = measured.report(NVML_OWN=str(7 * MIB))
    assert report.memory is not None
    assert report.memory.device is not None
    assert report.memory.device.model_dump() == {
        "device": "the third",
        "allocated": 3 * MIB,
        "peak": 3 * MIB,
        "reserved": 64 * MIB,
        "since_start": False,
        "process": 7 * MIB,
    }
    assert report.energy is not None
    assert (report.energy.joules, report.energy.source) == (2.5, "NVML, whole GPU")
    assert nvml.MISSING_PACKAGE not in report.warnings


def test_a_worker_without_the_package_measures_all_else_and_notes_what_to_install(measured: Measured) -> None:
    report = measured.report(**{WITHOUT_PACKAGE: "1"})
    assert report.memory is not None
    assert report.memory.device is not None
    assert (report.memory.device.device, report.memory.device.process) == ("", None)
    assert report.memory.device.allocated == 3 * MIB
    assert report.energy is None
    assert nvml.MISSING_PACKAGE in report.warnings


def test_a_driver_that_counts_nothing_gives_no_figures_and_no_note(measured: Measured) -> None:
    report = measured.report(NVML_COUNTS_NOTHING="1")
    assert report.memory is not None
    assert report.memory.device is not None
    assert (report.memory.device.device, report.memory.device.process) == ("the third", None)
    assert report.energy is None
    assert nvml.MISSING_PACKAGE not in report.warnings


def test_a_cell_on_the_cpu_needs_no_package() -> None:
    assert nvml.list_notes("cpu") == []


def test_the_driver_counts_the_memory_of_the_named_processes_alone(gpu: Gpu) -> None:
    assert gpu.read_process_bytes([os.getpid()]) == 7 * MIB
    assert gpu.read_process_bytes([os.getpid(), 1]) == 7 * MIB + (1 << 40)
    assert gpu.read_process_bytes([os.getpid() + 1]) is None


def test_memory_that_the_driver_does_not_count_is_null_and_not_zero(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVML_OWN", str((1 << 64) - 1))
    assert gpu.read_process_bytes([os.getpid()]) is None
    assert gpu.read_process_bytes([os.getpid(), 1]) is None


@pytest.mark.parametrize(
    ("visible", "name"),
    [
        (None, "a GPU"),
        ("2,0", "the third"),
        ("GPU-1234", "a GPU"),
        ("MIG-1234", None),
        ("7", None),
        ("-1", None),
        ("", None),
    ],
)
def test_the_gpu_is_the_first_that_may_be_used(
    loaded_driver: None, monkeypatch: pytest.MonkeyPatch, visible: str | None, name: str | None
) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = nvml.open_gpu()
    assert (found.read_name() if found else None) == name


def test_with_a_driver_that_does_not_start_there_is_no_gpu(
    loaded_driver: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVML_REFUSES", "9")
    assert nvml.open_gpu() is None


def test_without_a_driver_there_is_no_gpu(tmp_path: Path) -> None:
    # The loader takes the first file of that name, and refuses it; so the test holds on a machine with a GPU too.
    (tmp_path / LIBRARY).write_text("no library")
    program = "from workers.measurement import nvml; print(nvml.open_gpu())"
    ended = run_process(["-c", program], b"", {"LD_LIBRARY_PATH": str(tmp_path)})
    assert (ended.status, ended.output) == (0, b"None\n"), ended.log
