"""Memory metrics: each is a difference of the kernel's counters, and is absent if it was not counted."""

import math
from collections.abc import Callable

import pytest

from orchestrator.analysis import groups
from orchestrator.analysis.costs import memory
from orchestrator.analysis.derivation import memory as derived
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MIB = 1 << 20

LEDGER = {
    "import": (10, 110, 110),
    "data": (110, 130, 130),
    "build": (130, 180, 170),
    "trace": (170, 250, 190),
    "first_call": (190, 200, 195),
}


def phase(name: str, start: int, peak: int, end: int) -> dict[str, object]:
    marks = {"start": start * MIB, "peak": peak * MIB, "end": end * MIB, "pss": None, "uss": None, "processes": 1}
    return {"name": name, "wall_ns": 1000, "cpu_ns": 1000, "memory": marks}


def needing(step_peak: int, before: str = "", **changes: tuple[int, int, int]) -> dict[str, object]:
    """Return the memory fields of a report: the ledger above with changes, and steps with this highest peak.

    New phases are the last ones, or stand before another.
    """
    steps = [{"start": 195 * MIB, "peak": peak * MIB} for peak in (step_peak - 1, step_peak)]
    new = [name for name in changes if name not in LEDGER]
    names = [each for name in LEDGER for each in ([*new, name] if name == before else [name])]
    phases = [phase(name, *(LEDGER | changes)[name]) for name in (names if before else [*names, *new])]
    return {"phases": phases, "memory": {"steps": steps, "trimmed": True}}


def test_the_headlines_are_differences_of_what_the_kernel_counted(make_report: Callable[..., Report]) -> None:
    found = derived.compute_memory_metrics(make_report(**needing(220)))
    assert {name: value / MIB for name, value in found.items()} == {
        "import": 100,
        "static": 40,
        "compile_peak": 80,
        "step_peak": 50,
        "footprint": 200,
    }


def test_a_file_that_was_loaded_is_static(make_report: Callable[..., Report]) -> None:
    found = derived.compute_memory_metrics(make_report(**needing(220, before="trace", load=(170, 190, 185))))
    assert found["static"] == 55 * MIB
    assert found["step_peak"] == 35 * MIB


def test_a_library_that_was_loaded_after_compiling_is_no_part_of_the_model(make_report: Callable[..., Report]) -> None:
    plain = derived.compute_memory_metrics(make_report(**needing(220)))
    found = derived.compute_memory_metrics(make_report(**needing(220, before="first_call", load=(190, 260, 195))))
    assert found == plain | {"compile_peak": 90 * MIB}


def test_a_report_without_memory_has_no_headlines(make_report: Callable[..., Report]) -> None:
    assert derived.compute_memory_metrics(make_report()) == {}
    assert memory.summarise_memory_metrics([{}]) == {}


def test_intervals_are_over_processes(make_report: Callable[..., Report]) -> None:
    counted = [derived.compute_memory_metrics(make_report(**needing(220 + extra))) for extra in range(8)]
    found = memory.summarise_memory_metrics([*counted, {}])["step_peak"]
    assert found.estimate == pytest.approx(53.5 * MIB)
    assert found.low == 50 * MIB
    assert found.high == 57 * MIB


def test_less_than_the_kernel_can_tell_apart_is_a_tie(make_report: Callable[..., Report]) -> None:
    counted = [derived.compute_memory_metrics(make_report(**needing(peak))) for peak in (170, 160)]
    scored = memory.score_memory_metric(dict(enumerate(counted, 1)), "step_peak")
    assert scored == {1: math.log(memory.RESOLUTION), 2: math.log(memory.RESOLUTION)}


def test_a_ranking_by_memory_orders_by_bytes_and_keeps_ties(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord], make_report: Callable[..., Report]
) -> None:
    peaks = {"torch:eager": 220, "torch:trace": 220, "tensorflow:eager": 300}
    records = [
        make_record(make_cell(label), block, result=make_report(**needing(peak + (block + place) % 3)))
        for block in range(1, 13)
        for place, (label, peak) in enumerate(peaks.items())
    ]
    cells = [make_cell(label) for label in peaks]
    (plain,) = groups.group_results(records, cells)
    (group,) = groups.group_results(records, cells, rank_by="step_peak")
    assert plain.by_memory is None
    assert group.by_memory is not None
    ranks = {standing.cell: (standing.best, standing.worst) for standing in group.by_memory.standings}
    assert ranks == {"torch:eager": (1, 2), "torch:trace": (1, 2), "tensorflow:eager": (3, 3)}
    assert group.standings == plain.standings


def growing(kib_a_step: int, mib_over_samples: int) -> dict[str, object]:
    """Return the memory of a report whose steps grow by this much, and whose 300 calls in samples by this much."""
    steps = [{"start": 195 * MIB + (kib_a_step << 10) * number, "peak": 300 * MIB} for number in range(3)]
    phases = [phase(name, *marks) for name, marks in LEDGER.items()]
    phases.append(phase("steady", 195, 300, 195 + mib_over_samples))
    return {"phases": phases, "memory": {"steps": steps, "trimmed": True}}


def test_memory_that_each_call_keeps_is_a_growth(make_report: Callable[..., Report]) -> None:
    report = make_report(**growing(512, 150))
    assert derived.measure_growth_per_call(report) == 512 << 10


@pytest.mark.parametrize(("kib_a_step", "mib_over_samples"), [(0, 150), (4, 1), (512, 0), (512, 15)])
def test_memory_that_grows_in_one_place_alone_or_by_pages_is_none(
    make_report: Callable[..., Report], kib_a_step: int, mib_over_samples: int
) -> None:
    assert derived.measure_growth_per_call(make_report(**growing(kib_a_step, mib_over_samples))) == 0


def test_without_counted_memory_nothing_grows(make_report: Callable[..., Report]) -> None:
    assert derived.measure_growth_per_call(make_report()) == 0
