"""Requests a second over processes: medians of known rates, and gains within each process."""

import math

import pytest

from orchestrator.analysis.costs.throughput import Throughput, find_best, summarise_throughput
from orchestrator.analysis.derivation.throughput import ServedClients, derive_clients
from schemas.event import Throughput as Measured


def serve(clients: int, processes: int, rate: float | None, pss: int | None = None, error: str = "") -> ServedClients:
    percentiles = () if rate is None else (1e9 / rate, 2e9 / rate, None)
    return ServedClients(clients, processes, rate, percentiles, pss, error)


def find(results: tuple[Throughput, ...], clients: int, processes: int) -> Throughput:
    (found,) = [each for each in results if (each.clients, each.processes) == (clients, processes)]
    return found


@pytest.fixture
def twice() -> tuple[Throughput, ...]:
    """Return nine processes of different speeds, in each of which two threads answer 1.5 times as many."""
    speeds = [1000.0 + 100 * place for place in range(9)]
    return summarise_throughput(
        (1e9 / speed, [serve(1, 1, 0.8 * speed, 10), serve(2, 1, 1.2 * speed, 11), serve(2, 2, 1.6 * speed, 20)])
        for speed in speeds
    )


def test_rates_are_medians_over_processes_in_the_order_of_measuring(twice: tuple[Throughput, ...]) -> None:
    assert [(each.clients, each.processes) for each in twice] == [(1, 1), (2, 1), (2, 2)]
    assert [each.per_second.estimate for each in twice] == pytest.approx([0.8 * 1400, 1.2 * 1400, 1.6 * 1400])
    assert all(each.per_second.low < each.per_second.estimate < each.per_second.high for each in twice)


def test_a_gain_is_within_each_process_however_its_speed_varies(twice: tuple[Throughput, ...]) -> None:
    for kind, gain in [((1, 1), 1.0), ((2, 1), 1.5), ((2, 2), 2.0)]:
        found = find(twice, *kind).gain
        assert (found.low, found.estimate, found.high) == pytest.approx((gain, gain, gain))


def test_one_client_is_compared_with_what_samples_give(twice: tuple[Throughput, ...]) -> None:
    share = find(twice, 1, 1).share
    assert (share.low, share.estimate, share.high) == pytest.approx((0.8, 0.8, 0.8))
    assert math.isnan(find(twice, 2, 1).share.estimate)


def test_memory_and_percentiles_are_medians_of_those_that_have_them(twice: tuple[Throughput, ...]) -> None:
    assert [each.pss.estimate for each in twice] == [10, 11, 20]
    assert find(twice, 1, 1).latency_ns.keys() == {"p50", "p90"}
    mixed = summarise_throughput([(1.0, [serve(1, 1, 100, None)]), (1.0, [serve(1, 1, 100, 7)])])
    assert mixed[0].pss.estimate == 7


def test_without_one_client_there_is_no_gain() -> None:
    (found,) = summarise_throughput([(1.0, [serve(4, 1, 100)])] * 9)
    assert found.per_second.estimate == 100
    assert math.isnan(found.gain.estimate)


def test_what_raised_has_no_rate_and_keeps_its_reason() -> None:
    jobs = [(1.0, [serve(1, 1, 50), serve(2, 1, None, error="RuntimeError: busy")])] * 3
    found = find(summarise_throughput(jobs), 2, 1)
    assert found.error == "RuntimeError: busy"
    assert math.isnan(found.per_second.estimate)
    assert math.isnan(found.gain.estimate)
    assert found.latency_ns == {}


def test_one_process_that_raised_does_not_hide_the_others() -> None:
    good, bad = (1.0, [serve(1, 1, 50), serve(2, 1, 80)]), (1.0, [serve(1, 1, 50), serve(2, 1, None, error="busy")])
    found = find(summarise_throughput([good, bad, good]), 2, 1)
    assert (found.per_second.estimate, found.error) == (80, "busy")


def test_a_cell_that_was_not_asked_has_nothing() -> None:
    assert summarise_throughput([]) == summarise_throughput([(1.0, [])] * 9) == ()
    assert find_best(()) is None


def test_the_best_is_what_answers_most(twice: tuple[Throughput, ...]) -> None:
    best = find_best(twice)
    assert best is not None
    assert (best.clients, best.processes) == (2, 2)
    raised = summarise_throughput([(1.0, [serve(2, 1, None, error="busy")])])
    assert find_best(raised) is None


def test_a_report_gives_the_rate_and_the_percentiles_that_its_calls_support() -> None:
    latency_ns = tuple(range(1, 1001))
    measured = Measured(clients=2, processes=1, calls=(100, 300), took_ns=(10**9, 2 * 10**9), latency_ns=latency_ns)
    found = derive_clients(measured)
    assert found.per_second == 250
    assert found.percentiles[0] == pytest.approx(500.5)
    assert found.percentiles[2] is not None
    few = derive_clients(measured.model_copy(update={"latency_ns": (5, 6, 7)}))
    assert few.percentiles[2] is None


def test_a_report_of_what_raised_gives_nothing_but_the_reason() -> None:
    found = derive_clients(Measured(clients=2, processes=2, error="gone"))
    assert (found.per_second, found.percentiles, found.error) == (None, (), "gone")
