"""Each verdict that a run lacks has its price in words, with a command that pays exactly this price."""

import json
import math
import re
from collections.abc import Callable, Sequence

import pytest

from orchestrator.analysis.run import Run
from orchestrator.report.sections.price import describe_prices, prices_to_list
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_manifest, a_run, place_on_nodes

MakeCell = Callable[..., Cell]
MakeRecords = Callable[..., list[JobRecord]]
MakeRun = Callable[..., Run]

COMMAND = re.compile(r"python -m orchestrator resume a-run --blocks \+([0-9]+)\.$")


@pytest.fixture
def timed_run(make_cell: MakeCell, make_records: MakeRecords) -> MakeRun:
    """Make a run of modes with these times in nanoseconds."""

    def make(times_ns: Sequence[float], blocks: int, noise: float = 0.003, seed: int = 1, **changes: object) -> Run:
        labels = ("torch:eager", "torch:script", "numpy:eager", "jax:jit", "jax:eager")
        cells = [make_cell(label) for label in labels[: len(times_ns)]]
        records = make_records(list(zip(cells, times_ns, strict=True)), blocks=blocks, noise=noise, seed=seed)
        return a_run(a_manifest(cells, **changes), records)

    return make


def test_a_clear_difference_has_an_exact_price(timed_run: MakeRun) -> None:
    (said,) = describe_prices(timed_run((23_000, 202_000), 4))
    assert re.fullmatch(
        r"No verdict yet on torch:script against torch:eager \(20\d µs against 2\d\.\d µs\): 2 more blocks prove it, "
        r"about 8 s: python -m orchestrator resume a-run --blocks \+2\.",
        said,
    )
    (one,) = describe_prices(timed_run((23_000, 202_000), 5))
    assert "1 more block proves it, about 4 s" in one


def test_a_run_with_all_its_verdicts_has_no_price(timed_run: MakeRun) -> None:
    run = timed_run((1000, 3000), 12)
    assert (describe_prices(run), prices_to_list(run)) == ([], [])


def test_pairs_of_one_price_share_a_sentence_and_many_are_counted(timed_run: MakeRun) -> None:
    run = timed_run((23_000, 202_000, 71_000), 4)
    (few,) = describe_prices(run)
    # Each pair has two names and two times.
    assert few.count(" against ") == 2 * len(run.comparisons)
    (many,) = describe_prices(timed_run((23_000, 202_000, 71_000, 500_000, 900_000), 4))
    assert many.count(" against ") == 2
    assert re.search(r" and \d+ other pairs: ", many)


def test_what_noise_hides_has_a_range_and_its_command_pays_the_likely_price(timed_run: MakeRun) -> None:
    runs = [
        timed_run((1e5, 1e5 * shift), 12, noise, seed)
        for shift in (1.03, 1.06)
        for noise in (0.02, 0.04)
        for seed in range(6)
    ]
    said = [each for run in runs for each in describe_prices(run)]
    ranged = [
        found
        for each in said
        if (found := re.search(r": about (\d+) more blocks? \((\d+) to (?:more than )?(\d+)\)", each))
    ]
    assert ranged
    for found in ranged:
        likely, soonest, latest = map(int, found.groups())
        assert soonest <= likely <= latest
        asked = COMMAND.search(found.string)
        assert asked is not None
        assert int(asked[1]) == likely


def test_one_block_has_the_least_number_that_any_verdict_takes(timed_run: MakeRun) -> None:
    (said,) = describe_prices(timed_run((23_000, 202_000), 1))
    assert ": at least 5 more blocks, about 20 s: " in said


def test_many_prices_are_one_sentence_with_the_command_that_pays_all_that_can_be_paid(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell(label, batch=batch) for batch in range(1, 6) for label in ("torch:eager", "torch:script")]
    times = [(cell, 1000.0 * (1 + place)) for place, cell in enumerate(cells)]
    run = a_run(a_manifest(cells), make_records(times, blocks=4))
    assert describe_prices(run, brief=True) == [
        "No verdict yet on 5 pairs: 2 more blocks may decide them, about 40 s: "
        "python -m orchestrator resume a-run --blocks +2."
    ]
    assert len(describe_prices(run)) == 5
    noisy = a_run(a_manifest(cells), make_records([(cell, 1000.0) for cell in cells], blocks=8, noise=0.2))
    (said,) = describe_prices(noisy, brief=True)
    assert said.startswith("No verdict yet on ")


def test_what_no_run_can_show_has_a_bound_and_no_command(timed_run: MakeRun) -> None:
    (said,) = describe_prices(timed_run((100_000, 100_000), 8, 0.3))
    assert re.search(
        r": it likely takes more than 32 blocks in all, the most .*; the difference, if any, is below \d+ %\.", said
    )
    assert "resume" not in said


def test_no_command_goes_beyond_the_last_look(timed_run: MakeRun) -> None:
    for run in (timed_run((100_000, 104_000), blocks, 0.05) for blocks in (8, 16, 24, 28, 31, 32)):
        for price in prices_to_list(run):
            assert price["command"] is None or price["more_blocks"]["likely"] + run.blocks <= 32


def measure_on_nodes(run: Run, *nodes: str) -> Run:
    """Return the same run with its blocks measured on these nodes in turn."""
    return a_run(run.manifest, place_on_nodes(run.records, *nodes))


SHARED_OUT = {"sweep": {"cluster": {"on": "slurm"}}}


def test_a_run_on_several_nodes_may_have_more_blocks_and_measures_them_side_by_side(timed_run: MakeRun) -> None:
    alone = timed_run((100_000, 104_000), 24, 0.07)
    (price,) = prices_to_list(alone)
    assert (price["more_blocks"]["likely"], price["command"]) == (None, None)
    shared = measure_on_nodes(timed_run((100_000, 104_000), 24, 0.07, **SHARED_OUT), "n1", "n2", "n3", "n4")
    (price,) = prices_to_list(shared)
    likely = price["more_blocks"]["likely"]
    assert 8 < likely <= 4 * 32 - 24
    assert price["command"] == f"python -m orchestrator resume a-run --blocks +{likely}"
    # A block takes four seconds, and four of them run at once.
    assert price["seconds"] == pytest.approx(4 * math.ceil(likely / 4))


def test_what_several_nodes_cannot_show_is_said_of_all_their_blocks(timed_run: MakeRun) -> None:
    run = measure_on_nodes(timed_run((100_000, 100_000), 8, 0.5, **SHARED_OUT), "n1", "n2")
    (said,) = describe_prices(run)
    assert ": it likely takes more than 64 blocks in all, which are 32 on each of its nodes; " in said


def test_the_document_has_the_same_price(timed_run: MakeRun) -> None:
    run = timed_run((23_000, 202_000), 4)
    (price,) = json.loads(json.dumps(prices_to_list(run), allow_nan=False))
    assert (price["baseline"], price["cell"], price["proves"]) == ("torch:eager", "torch:script", True)
    assert price["more_blocks"] == {"soonest": 2, "likely": 2, "latest": 2}
    assert price["seconds"] == pytest.approx(8)
    assert describe_prices(run)[0].endswith(f"{price['command']}.")
