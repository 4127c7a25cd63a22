"""The highest rates of a machine: the best of every sweep on it, and never those of another machine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.execution.peak_rates import FILE_NAME, PeakRates, hash_hardware, max_ceiling
from schemas.event import Ceiling, Report
from schemas.job import Cell
from schemas.record import Host

MakeReport = Callable[..., Report]
MakeCell = Callable[..., Cell]


@pytest.fixture
def report_rates(make_report: MakeReport) -> Callable[[float, float], Report]:
    return lambda flops, moved: make_report(ceiling={"flops_per_s": flops, "bytes_per_s": moved})


Rated = Callable[[float, float], Report]


def test_each_rate_is_the_highest_of_both_by_itself() -> None:
    one, other = Ceiling(flops_per_s=3, bytes_per_s=1), Ceiling(flops_per_s=2, bytes_per_s=5)
    assert max_ceiling(None, one) == one
    assert max_ceiling(one, other) == max_ceiling(other, one) == Ceiling(flops_per_s=3, bytes_per_s=5)


@pytest.mark.parametrize("other", [{"threads": 2}, {"dtype": "float64"}, {"device": "cuda"}])
def test_rates_are_kept_for_each_device_dtype_and_number_of_threads(
    report_rates: Rated, make_cell: MakeCell, other: dict[str, object]
) -> None:
    peaks = PeakRates()
    peaks.update_rates(make_cell(), report_rates(2, 5))
    most = peaks.update_rates(make_cell("torch:eager", batch=7, workload="mlp"), report_rates(3, 4))
    assert most == Ceiling(flops_per_s=3, bytes_per_s=5)
    assert peaks.update_rates(make_cell(), None) == most
    assert peaks.update_rates(make_cell(**other), None) is None


def test_a_later_sweep_knows_the_rates_of_an_earlier_one(
    tmp_path: Path, report_rates: Rated, make_cell: MakeCell, host: Host
) -> None:
    folder = tmp_path / "not" / "there"
    for rates in ((2, 5), (3, 4)):
        peaks = PeakRates.load(folder, host)
        peaks.update_rates(make_cell(), report_rates(*rates))
        peaks.save()
    assert PeakRates.load(folder, host).update_rates(make_cell(), None) == Ceiling(flops_per_s=3, bytes_per_s=5)


def test_two_sweeps_at_a_time_keep_the_best_of_both(
    tmp_path: Path, report_rates: Rated, make_cell: MakeCell, host: Host
) -> None:
    both = [PeakRates.load(tmp_path, host) for _ in range(2)]
    for peaks, rates in zip(both, ((9, 1), (8, 2)), strict=True):
        peaks.update_rates(make_cell(), report_rates(*rates))
        peaks.save()
    assert PeakRates.load(tmp_path, host).update_rates(make_cell(), None) == Ceiling(flops_per_s=9, bytes_per_s=2)


def test_what_another_machine_has_reached_is_no_measure_for_this_one(
    tmp_path: Path, report_rates: Rated, make_cell: MakeCell, host: Host
) -> None:
    other = host.model_copy(update={"cpu": "another"})
    peaks = PeakRates.load(tmp_path, other)
    peaks.update_rates(make_cell(), report_rates(9, 9))
    peaks.save()
    here = PeakRates.load(tmp_path, host)
    assert here.update_rates(make_cell(), None) is None
    here.update_rates(make_cell(), report_rates(1, 1))
    here.save()
    kept = PeakRates.load(tmp_path, other).update_rates(make_cell(), None)
    assert kept == Ceiling(flops_per_s=9, bytes_per_s=9)
    assert hash_hardware(other) != hash_hardware(host)


@pytest.mark.parametrize("change", [{"python": "3.13"}, {"memory_bytes": 1}, {"variables": {"OMP_NUM_THREADS": "9"}}])
def test_software_makes_no_other_machine(host: Host, change: dict[str, object]) -> None:
    assert hash_hardware(host.model_copy(update=change)) == hash_hardware(host)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"kept": [{"conditions": {}}]}', '{"kept": "x"}'])
def test_a_damaged_file_is_as_good_as_none(
    tmp_path: Path, report_rates: Rated, make_cell: MakeCell, host: Host, content: str
) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    peaks = PeakRates.load(tmp_path, host)
    assert not peaks.rates
    peaks.update_rates(make_cell(), report_rates(1, 2))
    peaks.save()
    assert PeakRates.load(tmp_path, host).rates == peaks.rates


def test_a_folder_that_cannot_be_written_to_ends_nothing(
    tmp_path: Path, report_rates: Rated, make_cell: MakeCell, host: Host
) -> None:
    (tmp_path / "file").touch()
    peaks = PeakRates.load(tmp_path / "file", host)
    assert peaks.update_rates(make_cell(), report_rates(1, 2)) == Ceiling(flops_per_s=1, bytes_per_s=2)
    peaks.save()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_a_place_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_report: MakeReport
) -> None:
    monkeypatch.chdir(tmp_path)
    peaks = PeakRates()
    peaks.update_rates(Cell(framework="numpy", mode="eager", workload="mlp"), make_report())
    peaks.save()
    assert not [*tmp_path.iterdir()]
