"""A GPU's memory by a framework's own count, with a simulated driver; no figures without a GPU."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure
from tests.workers.measurement.simulated_gpu import MIB, Pool
from workers.measurement import gpu_memory
from workers.measurement.nvml import Gpu

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported, Work


def test_the_peak_is_that_of_the_calls_that_are_looked_at(gpu: Gpu) -> None:
    framework = Pool()
    found = gpu_memory.measure_device_memory(framework, framework.call, gpu)
    assert found is not None
    assert framework.calls == gpu_memory.CALLS
    assert (found.allocated, found.peak, found.reserved) == (3 * MIB, 7 * MIB, 64 * MIB)
    assert not found.since_start


def test_a_peak_that_cannot_be_set_back_is_said_to_be_that_of_the_whole_process(gpu: Gpu) -> None:
    framework = Pool(resettable=False)
    found = gpu_memory.measure_device_memory(framework, framework.call, gpu)
    assert found is not None
    assert (found.peak, found.since_start) == (50 * MIB, True)


def test_the_drivers_count_stands_beside_the_frameworks(gpu: Gpu) -> None:
    framework = Pool()
    found = gpu_memory.measure_device_memory(framework, framework.call, gpu)
    assert found is not None
    assert (found.device, found.process) == ("a GPU", 7 * MIB)


def test_on_a_cpu_there_is_no_device_and_no_figure_for_one(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("numpy", "eager", "mlp"))
    assert found.memory is not None
    assert found.memory.device is None
    assert gpu_memory.measure_device_memory(object(), lambda _: None, None) is None


@pytest.mark.long
@pytest.mark.parametrize(("framework", "mode"), [("torch", "eager"), ("tensorflow", "eager")])
def test_a_framework_that_sees_no_gpu_says_so(ask: "Ask", work: "Work", framework: str, mode: str) -> None:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    last = work(ask(framework, mode, "mlp", device="cuda"), CUDA_VISIBLE_DEVICES="-1").events[-1]
    assert isinstance(last, Failure)
    assert (last.outcome, last.where) == ("unsupported", "")
    assert "sees no GPU" in last.reason
