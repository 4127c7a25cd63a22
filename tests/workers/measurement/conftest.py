"""A simulated GPU: NVML for a machine without one, which nvidia-ml-py loads as it would load the driver's."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workers.measurement.simulated_gpu import MIB
from workers.measurement import nvml
from workers.measurement.nvml import Gpu

LIBRARY = "libnvidia-ml.so.1"
SOURCE = Path(__file__).resolve().parents[2] / "doubles" / "nvml.c"


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the library; a process finds it if LD_LIBRARY_PATH names its folder."""
    if (compiler := shutil.which("gcc") or shutil.which("cc")) is None:
        pytest.skip("no C compiler is installed")
    built = tmp_path_factory.mktemp("nvml") / LIBRARY
    subprocess.run([compiler, "-shared", "-fPIC", f"-Wl,-soname,{LIBRARY}", "-o", built, SOURCE], check=True)
    return built


@pytest.fixture(scope="session")
def loaded_driver(driver: Path) -> None:
    """Load the library into this process: the loader finds a library that is there already by its name alone."""
    ctypes.CDLL(str(driver))


@pytest.fixture
def gpu(loaded_driver: None, monkeypatch: pytest.MonkeyPatch) -> Gpu:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("NVML_OWN", str(7 * MIB))
    found = nvml.open_gpu()
    assert found is not None
    return found
