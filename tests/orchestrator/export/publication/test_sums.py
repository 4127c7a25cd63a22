"""Samples use no more CPU time than they last, and fit into their phase and their process."""

import random

import pytest

from orchestrator.export.publication.sums import find_wrong_sums
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_cell, a_spec
from tests.orchestrator.export.publication.forging import Clock, a_job, noisy_report

MS = 10**6


def a_record(
    samples: list[int], cpu: list[int], steady: tuple[int, int] = (200 * MS, 200 * MS), cores: int = 1
) -> JobRecord:
    """A job with a phase of samples that took so long, by the wall clock and in CPU time."""
    plain = noisy_report(1, 1000)
    phases = [{"name": "steady", "wall_ns": steady[0], "cpu_ns": steady[1]}]
    noise = plain["noise"] | {"cpu_ns": cpu, "canary_ns": [9] * len(samples)}
    noise |= dict.fromkeys(("run_delay_ns", "steal_ns", "pressure_ns"), [0] * len(samples))
    result = plain | {"samples_ns": samples, "phases": phases, "noise": noise}
    spec = a_spec(a_cell(), cpus=tuple(range(cores)))
    return a_job(Clock(), a_cell(), 1, 1000, result=result, spec=spec)


def wrong(record: JobRecord) -> list[str]:
    return [sentence.partition("was not measured so: ")[2] for sentence in find_wrong_sums([record])]


def draw(count: int = 100) -> list[int]:
    rng = random.Random(1)
    return [round(MS * (1.3 + abs(rng.gauss(0, 0.01)))) for _ in range(count)]


def scale(samples: list[int], factor: float) -> list[int]:
    return [round(each * factor) for each in samples]


def test_the_samples_of_an_honest_process_fit() -> None:
    samples = draw()
    assert wrong(a_record(samples, scale(samples, 1.004))) == []
    assert wrong(a_record(samples, scale(samples, 0.4))) == []
    assert wrong(a_record(samples, [*scale(samples[:98], 1.004), *scale(samples[98:], 1.2)])) == []
    assert wrong(a_record(samples, scale(samples, 1.9), (200 * MS, 400 * MS), cores=2)) == []


def test_samples_of_a_microsecond_may_hold_the_reading_of_a_clock() -> None:
    assert wrong(a_record([1000] * 100, [3000] * 100)) == []


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.95])
def test_samples_that_were_shortened_use_more_cpu_time_than_they_last(factor: float) -> None:
    samples = draw()
    short = scale(samples, factor)
    sentence, *_ = wrong(a_record(short, samples))
    assert sentence == f"its samples last {sum(short) / 1e6:.1f} ms and used {sum(samples) / 1e6:.1f} ms of CPU time"


def test_a_job_without_a_list_of_cores_has_those_of_its_machine_and_no_more() -> None:
    samples = draw()
    assert wrong(a_record(samples, scale(samples, 1.9), (200 * MS, 400 * MS), cores=0)) == []
    sentence, *_ = wrong(a_record(scale(samples, 0.4), samples, cores=0))
    assert sentence.endswith(f" and used {sum(samples) / 1e6:.1f} ms of CPU time")


def test_a_few_samples_that_were_shortened_are_counted() -> None:
    samples = draw()
    cut = [*scale(samples[:10], 0.8), *samples[10:]]
    assert wrong(a_record(cut, samples)) == ["10 of its 100 samples used more CPU time than they last"]


def test_samples_fit_into_their_phase_and_that_into_the_process() -> None:
    samples = draw()
    assert wrong(a_record(samples, samples, (100 * MS, 200 * MS)))[0].endswith("the phase of its samples 100.0 ms")
    assert wrong(a_record(samples, samples, (200 * MS, 50 * MS)))[0].endswith("the phase of its samples 50.0 ms")
    assert wrong(a_record(samples, samples, (3000 * MS, 3000 * MS))) == [
        "the phase of its samples lasts 3000.0 ms, and its process lived 2000.0 ms"
    ]


def test_a_job_that_does_not_count_may_have_any_sums() -> None:
    samples = draw()
    record = a_record(scale(samples, 0.5), samples)
    assert wrong(record.model_copy(update={"outcome": "implausible"})) == []
