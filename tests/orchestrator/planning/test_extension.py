"""Extensions of a run: what is asked is what the run then has, and what would be useless is refused."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.looks import ALPHA, ALPHA_ON_VERDICTS
from orchestrator.errors import UsageError
from orchestrator.planning.extension import NO_EXTENSION, ExtensionRequest, extend_manifest
from schemas.cluster import Cluster
from schemas.job import Cell
from schemas.record import JobRecord, Manifest
from tests.orchestrator.conftest import a_manifest, a_run

MakeRun = Callable[..., Run]
NOW = datetime(2025, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def make_noisy_run(make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]]) -> MakeRun:
    """Make a run of two cells that is not precise, unless the noise is small."""

    def make(count: int, noise: float = 0.2, **stop: object) -> Run:
        cells = [make_cell("numpy:eager"), make_cell("synthetic:spin")]
        records = make_records([(cell, 1000) for cell in cells], blocks=count, noise=noise)
        return a_run(a_manifest(cells, sweep={"stop": {"budget": 100, **stop}}), records)

    return make


def extend(run: Run, spent_s: float = 100.0, **asked: object) -> Manifest:
    return extend_manifest(run, ExtensionRequest(**asked), spent_s, NOW)  # type: ignore[arg-type]


def test_without_an_option_nothing_is_asked() -> None:
    assert not NO_EXTENSION
    assert ExtensionRequest(precision=0.01)


@pytest.mark.parametrize(("blocks", "total"), [("+2", 6), ("6", 6), ("+28", 32), ("32", 32)])
def test_blocks_are_a_total_or_so_many_more(make_noisy_run: MakeRun, blocks: str, total: int) -> None:
    extended = extend(make_noisy_run(4), blocks=blocks)
    assert extended.sweep.stop.blocks == total
    assert extended.extensions[-1].least_blocks == total
    assert (extended.finished, extended.stopped) == (False, "")


@pytest.mark.parametrize(("blocks", "total"), [("+29", 33), ("400", 400)])
def test_blocks_on_several_machines_have_no_limit_of_one_machine(
    make_noisy_run: MakeRun, blocks: str, total: int
) -> None:
    run = make_noisy_run(4)
    sweep = run.manifest.sweep.model_copy(update={"cluster": Cluster(on="slurm")})
    shared = a_run(run.manifest.model_copy(update={"sweep": sweep}), run.records)
    assert extend(shared, blocks=blocks).sweep.stop.blocks == total


@pytest.mark.parametrize(("budget", "seconds"), [("10m", 600), ("+5m", 400), ("+90s", 190)])
def test_a_budget_is_a_total_or_so_much_beyond_what_was_spent(
    make_noisy_run: MakeRun, budget: str, seconds: float
) -> None:
    extended = extend(make_noisy_run(4), budget=budget)
    assert extended.sweep.stop.budget == pytest.approx(seconds)
    assert extended.extensions[-1].least_blocks == 0


def test_a_precision_replaces_the_goal(make_noisy_run: MakeRun) -> None:
    extended = extend(make_noisy_run(4, until="verdict"), precision=0.01, budget="+5m")
    assert (extended.sweep.stop.precision, extended.sweep.stop.until) == (0.01, "precision")


def test_a_budget_for_a_run_that_had_all_its_blocks_allows_more_of_them(make_noisy_run: MakeRun) -> None:
    assert extend(make_noisy_run(4, blocks=4), budget="+5m").sweep.stop.blocks == 32
    assert extend(make_noisy_run(4, blocks=10), budget="+5m").sweep.stop.blocks == 10


def test_the_manifest_keeps_what_was_asked_before(make_noisy_run: MakeRun) -> None:
    run = make_noisy_run(4)
    once = extend(run, blocks="+2")
    assert [each.stop for each in once.extensions] == [run.manifest.sweep.stop]
    assert (once.extensions[0].blocks, once.extensions[0].when) == (4, "2025-01-02T12:00:00+00:00")
    twice = extend(Run(name="r", manifest=once, records=run.records), budget="+5m")
    assert [each.stop for each in twice.extensions] == [run.manifest.sweep.stop, once.sweep.stop]
    assert twice.original_sweep == run.manifest.sweep
    assert Manifest.model_validate_json(twice.model_dump_json()) == twice


@pytest.mark.parametrize(
    ("blocks", "asked", "sentence"),
    [
        (4, {"blocks": "+29"}, "a-run has 4 blocks, and 33 would be more than 32, the most for which its intervals"),
        (32, {"blocks": "+1"}, "a-run has 32 blocks, and 33 would be more than 32"),
        (4, {"blocks": "4"}, "a-run has 4 blocks already; ask for more, such as --blocks +2"),
        (4, {"blocks": "+0"}, "a-run has 4 blocks already"),
        (4, {"blocks": "-2"}, "--blocks must be a number such as 12, or +2 for two more, not '-2'"),
        (4, {"blocks": "many"}, "--blocks must be a number"),
        (4, {"budget": "5"}, "budget: 5 of what? write 5m or 5s"),
        (4, {"budget": "+5"}, "budget: 5 of what? write 5m or 5s"),
        (4, {"budget": "soon"}, "budget: should be a duration such as 90s, 5m or 1.5h"),
        (4, {"budget": "90s"}, "a-run has taken 100 s of its budget of 90 s; add --budget +5m"),
        (4, {"precision": 0.01}, "a-run has taken 100 s of its budget of 100 s; add --budget +5m"),
        (4, {"precision": -0.01}, "precision: input should be greater than 0"),
        (4, {"precision": float("nan")}, "precision: input should be"),
        (32, {"budget": "+5m"}, "a-run has 32 blocks, the most for which its intervals are valid; begin a new run"),
    ],
)
def test_what_is_no_extension_is_refused_with_what_would_be_one(
    make_noisy_run: MakeRun, blocks: int, asked: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UsageError) as error:
        extend_manifest(make_noisy_run(blocks), ExtensionRequest(**asked), 100.0, NOW)  # type: ignore[arg-type]
    assert str(error.value).startswith(sentence)


def test_more_time_for_a_run_that_has_its_precision_is_refused(make_noisy_run: MakeRun) -> None:
    precise = make_noisy_run(12, noise=0.001)
    with pytest.raises(UsageError, match="has reached its goal after 12 blocks; ask for more, such as --blocks"):
        extend(precise, budget="+5m")
    assert extend(precise, budget="+5m", precision=0.0001).sweep.stop.precision == 0.0001
    assert extend(precise, blocks="+2").sweep.stop.blocks == 14


@pytest.mark.parametrize(("blocks", "alpha"), [(5, ALPHA), (6, ALPHA_ON_VERDICTS), (12, ALPHA_ON_VERDICTS)])
def test_an_extension_after_verdicts_were_seen_is_paid_for_and_one_before_is_not(
    make_noisy_run: MakeRun, blocks: int, alpha: float
) -> None:
    run = make_noisy_run(blocks)
    assert run.groups[0].alpha == ALPHA
    extended = Run(name="r", manifest=extend(run, blocks="+2"), records=run.records)
    assert extended.groups[0].alpha == alpha


def test_a_run_without_pairs_can_be_extended(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord]
) -> None:
    alone = a_run(a_manifest([make_cell()]), [make_record()])
    assert extend(alone, blocks="+1").sweep.stop.blocks == 2
