"""Joules come from the kernel's counters with their conditions, or not at all."""

from pathlib import Path

import pytest

from workers.measurement import energy
from workers.measurement.nvml import Gpu


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Make two packages, and the cores of one of them as its part."""
    made = []
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "energy_uj").write_text("1000000")
        (folder / "max_energy_range_uj").write_text("5000000")
        made.append(folder)
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    return made[0], made[1]


def test_all_packages_count_and_their_parts_do_not_count_twice(packages: tuple[Path, Path]) -> None:
    moments = iter([10.0, 12.5])
    used = energy.start_meter(clock=lambda: next(moments))
    for package in packages:
        (package / "energy_uj").write_text("3000000")
    found = used(100)
    assert found is not None
    assert (found.joules, found.seconds, found.calls) == (4.0, 2.5, 100)


def test_a_counter_that_came_round_has_gone_on(packages: tuple[Path, Path]) -> None:
    used = energy.start_meter()
    (packages[0] / "energy_uj").write_text("500000")
    found = used(1)
    assert found is not None
    assert found.joules == pytest.approx(4.5)


def test_where_nothing_may_be_read_there_is_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    assert energy.start_meter()(10) is None


def test_the_joules_of_a_gpu_are_those_since_the_meter_was_read(gpu: Gpu) -> None:
    assert gpu.read_energy_j() is not None
    used = energy.start_meter("cuda")(100)
    assert used is not None
    assert (used.joules, used.calls, used.source) == (2.5, 100, "NVML, whole GPU")
