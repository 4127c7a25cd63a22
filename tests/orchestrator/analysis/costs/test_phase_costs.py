"""Costs of phases: medians over processes, in the order in which a worker runs the phases."""

from collections.abc import Callable

from orchestrator.analysis.costs.phase_costs import summarise_phases
from schemas.event import Report
from tests.orchestrator.analysis.costs.test_memory import MIB, phase


def test_a_phase_is_the_median_over_the_processes_that_went_through_it(make_report: Callable[..., Report]) -> None:
    took = (100, 300, 200)
    reports = [make_report(phases=[{"name": "trace", "wall_ns": ns, "cpu_ns": 2 * ns}]) for ns in took]
    (entry,) = summarise_phases([*(report.phases for report in reports), ()])
    assert (entry.phase, entry.wall_ns.estimate, entry.cpu_ns) == ("trace", 200, 400)
    assert (entry.peak, entry.end) == (None, None)


def test_phases_come_in_the_order_of_a_workers_life(make_report: Callable[..., Report]) -> None:
    phases = [{"name": name, "wall_ns": 1, "cpu_ns": 1} for name in ("steady", "import", "compile")]
    assert [entry.phase for entry in summarise_phases([make_report(phases=phases).phases])] == [
        "import",
        "compile",
        "steady",
    ]


def test_what_is_resident_is_a_median_over_the_processes_whose_system_counts(
    make_report: Callable[..., Report],
) -> None:
    counted = [make_report(phases=[phase("import", 10, peak, 50)]).phases for peak in (60, 80)]
    uncounted = make_report(phases=[{"name": "import", "wall_ns": 1, "cpu_ns": 1}]).phases
    (entry,) = summarise_phases([*counted, uncounted])
    assert (entry.peak, entry.end) == (70 * MIB, 50 * MIB)


def test_no_process_has_no_ledger() -> None:
    assert summarise_phases([]) == ()
