"""False claims, coverage and power of a comparison whose processes are disturbed, over many synthetic sweeps.

A process takes samples of one or ten milliseconds. A sample takes the time of its cell with the effect of its process,
and up to some per cent more. Beside a load, the samples that it hits wait for the core. The counters show this, once a
burst, and they do not show that such a sample finds its caches cold. The CPU time is known for each sample.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from orchestrator.analysis.compare import CLAIMS, Comparison, Scores, Verdict, compare_all_pairs
from orchestrator.analysis.process_scores import score_processes
from orchestrator.analysis.statistics.intervals import clopper_pearson
from orchestrator.comparison.changes import CellPair, CellSide, find_changes
from schemas.job import Cell
from schemas.record import JobRecord
from tests.conftest import a_report
from tests.orchestrator.comparison.test_changes_coverage import EMPTY
from tests.orchestrator.conftest import HOST, a_cell, a_spec

pytestmark = pytest.mark.long

EXPERIMENTS = 150
BLOCKS = 12
MS = 1_000_000

# Effects of processes, extra time of a sample, and cost of cold caches: standard deviation and means, as shares.
PROCESS_NOISE, SAMPLE_NOISE, COLD_CACHES = 0.01, 0.02, 0.02


@dataclass(frozen=True)
class Load:
    """The share of samples that wait for their core, the longest wait, and the share of blocks beside the load."""

    hit: float
    wait_ns: float
    blocks: float = 1.0


@dataclass(frozen=True)
class Timing:
    """The number of samples of a process, their length, and the samples between two readings of the counters."""

    samples: int
    length_ns: int
    burst: int


SHORT, LONG = Timing(100, MS, 10), Timing(20, 10 * MS, 1)
IDLE = Load(0.0, 0.0)
# A process that wakes 20 times a second for 50 µs, by the length of a sample.
LIGHT = {SHORT: Load(0.02, 50_000), LONG: Load(0.2, 75_000)}
HALF_OF_THE_BLOCKS, ALL_SAMPLES = Load(1.0, 6 * MS, 0.5), Load(1.0, 6 * MS)
MOST_SAMPLES, ALL_BUT_A_FEW = Load(0.6, 6 * MS), Load(0.97, 6 * MS)

PLAIN = a_report()
RECORD = JobRecord(spec=a_spec(), outcome="measured", result=PLAIN, host=HOST)


def a_process(rng: np.random.Generator, cell: Cell, block: int, level: float, timing: Timing, load: Load) -> JobRecord:
    """Return the record of one process at this log level."""
    work = (
        timing.length_ns
        * np.exp(level + rng.normal(0, PROCESS_NOISE))
        * (1 + rng.exponential(SAMPLE_NOISE, timing.samples))
    )
    hit = rng.random(timing.samples) < (load.hit if rng.random() < load.blocks else 0.0)
    cpu = np.where(hit, work * (1 + rng.exponential(COLD_CACHES, timing.samples)), work).astype(int)
    waited = np.where(hit, rng.uniform(0.2, 1.0, timing.samples) * load.wait_ns, 0).astype(int)
    readings = np.add.reduceat(waited, np.arange(0, timing.samples, timing.burst)).tolist()
    nothing = (0,) * len(readings)
    noise = PLAIN.noise.model_copy(
        update={
            "burst": timing.burst,
            "run_delay_ns": tuple(readings),
            "steal_ns": nothing,
            "pressure_ns": nothing,
            "canary_ns": nothing,
            "cpu_ns": tuple(cpu.tolist()),
        }
    )
    report = PLAIN.model_copy(update={"samples_ns": tuple((cpu + waited).tolist()), "noise": noise})
    spec = RECORD.spec.model_copy(update={"cell": cell, "block": block})
    return RECORD.model_copy(update={"spec": spec, "result": report})


def sweep(
    rng: np.random.Generator, levels: Sequence[float], loads: Sequence[Load], timing: Timing
) -> dict[str, Scores]:
    """Return the scores of cells at these levels beside these loads."""
    cells = [a_cell().model_copy(update={"batch": 1 + place}) for place in range(len(levels))]
    return {
        cell.id: score_processes([a_process(rng, cell, block, level, timing, load) for block in range(1, BLOCKS + 1)])
        for cell, level, load in zip(cells, levels, loads, strict=True)
    }


def compared(
    levels: Sequence[float], loads: Sequence[Load], timing: Timing = SHORT, experiments: int = EXPERIMENTS
) -> Iterator[Comparison]:
    """Yield the comparison of two cells in each of many sweeps."""
    rng = np.random.default_rng(1)
    for _ in range(experiments):
        (found,) = compare_all_pairs(sweep(rng, levels, loads, timing))
        yield found


CASES = [
    pytest.param((IDLE, IDLE), id="no load"),
    pytest.param((IDLE, HALF_OF_THE_BLOCKS), id="half of the blocks of one side"),
    pytest.param((IDLE, MOST_SAMPLES), id="most samples of one side"),
    pytest.param((IDLE, ALL_BUT_A_FEW), id="all but a few samples of one side"),
    pytest.param((IDLE, ALL_SAMPLES), id="all samples of one side"),
    pytest.param((HALF_OF_THE_BLOCKS, HALF_OF_THE_BLOCKS), id="half of the blocks of both"),
]
TIMINGS = [SHORT, LONG]


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("loads", CASES)
def test_clones_are_rarely_told_apart_whichever_of_them_is_disturbed(loads: tuple[Load, Load], timing: Timing) -> None:
    fooled = sum(found.verdict in CLAIMS for found in compared((0.0, 0.0), loads, timing))
    assert fooled <= 0.07 * EXPERIMENTS


@pytest.mark.parametrize("timing", [SHORT, LONG])
def test_clones_under_light_load_are_rarely_told_apart(timing: Timing) -> None:
    fooled = sum(found.verdict in CLAIMS for found in compared((0.0, 0.0), (LIGHT[timing],) * 2, timing))
    assert fooled <= 0.07 * EXPERIMENTS


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("loads", CASES)
def test_the_interval_with_room_for_disturbances_covers_the_true_ratio(
    loads: tuple[Load, Load], timing: Timing
) -> None:
    bounds = [found.undisturbed or found.ratio for found in compared((0.0, 0.05), loads, timing)]
    covered = sum(each.low <= np.exp(0.05) <= each.high for each in bounds)
    assert clopper_pearson(covered, EXPERIMENTS).high >= 0.95
    assert covered >= 0.93 * EXPERIMENTS


@pytest.mark.parametrize("timing", [SHORT, LONG])
def test_a_clear_difference_under_light_load_is_claimed(timing: Timing) -> None:
    found = list(compared((0.0, 0.05), (LIGHT[timing],) * 2, timing, 60))
    assert sum(each.verdict is Verdict.SLOWER for each in found) >= 10 / 12 * len(found)


def test_a_clear_difference_is_claimed_though_one_side_is_loaded_as_long_as_some_samples_are_clean() -> None:
    found = list(compared((0.0, 0.1), (IDLE, MOST_SAMPLES), SHORT, 60))
    assert sum(each.verdict is Verdict.SLOWER for each in found) >= 10 / 12 * len(found)


@pytest.mark.parametrize("loads", CASES)
def test_of_six_clones_no_two_are_told_apart(loads: tuple[Load, Load]) -> None:
    rng, sets = np.random.default_rng(1), 60
    fooled = sum(
        any(found.verdict in CLAIMS for found in compare_all_pairs(sweep(rng, (0.0,) * 6, loads * 3, SHORT)))
        for _ in range(sets)
    )
    assert fooled <= 0.07 * sets


def a_side(scores: Scores) -> CellSide:
    return CellSide(result=EMPTY, scores=scores, memory={}, computed=frozenset(), versions=frozenset())


@pytest.mark.parametrize("loads", CASES)
def test_two_runs_of_one_cell_are_rarely_told_apart_whichever_is_disturbed(loads: tuple[Load, Load]) -> None:
    rng, fooled = np.random.default_rng(1), 0
    for _ in range(EXPERIMENTS):
        before, after = map(a_side, sweep(rng, (0.0, 0.0), loads, SHORT).values())
        pair = CellPair(cell=a_cell(), before=before, after=after, control=True)
        (found,) = find_changes([pair], "at face value")
        fooled += found.verdict in CLAIMS
    assert fooled <= 0.07 * EXPERIMENTS
