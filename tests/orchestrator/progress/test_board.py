"""Histories of a sweep, written as data and replayed."""

import dataclasses
import functools
import random
from collections.abc import Callable, Sequence

import pytest

from orchestrator.execution.sweep_events import (
    BlockStarted,
    JobEnded,
    JobEventReceived,
    JobRestored,
    JobStarted,
    SweepEvent,
    UnmeasuredJobEnded,
)
from orchestrator.planning.plan import Plan
from orchestrator.progress.board import Board, apply_event
from schemas.event import Hello, Phase
from schemas.record import Extension, JobRecord

MakePlan = Callable[..., Plan]
MakeRecord = Callable[..., JobRecord]
History = Sequence[tuple[float, SweepEvent]]

HELLO = JobEventReceived(Hello(pid=1, python="3.11", interpreter="x"))
STEADY = JobEventReceived(Phase(name="steady"))


def board(plan: Plan, block_s: float = 20) -> Board:
    return Board(plan=plan, started_s=0, now_s=0, guess_s=block_s)


def replay(start: Board, history: History) -> Board:
    return functools.reduce(lambda so_far, entry: apply_event(so_far, entry[1], entry[0]), history, start)


def make_block(plan: Plan, make_record: MakeRecord, block: int, begins_s: float) -> History:
    """Make the history of one block whose jobs take ten seconds each."""
    order = plan.order_cells(plan.runnable, block)
    history: list[tuple[float, SweepEvent]] = [(begins_s, BlockStarted(block, order))]
    for position, cell in enumerate(order):
        start = begins_s + 10 * position
        history += [
            (start, JobStarted(plan.build_job(cell, block, position))),
            (start + 1, HELLO),
            (start + 2, STEADY),
            (start + 10, JobEnded(make_record(cell, block))),
        ]
    return history


def test_at_first_all_blocks_that_fit_the_budget_are_expected(make_plan: MakePlan) -> None:
    first = board(make_plan("numpy", stop={"budget": 90, "blocks": 32}))
    assert (first.expected_blocks, first.jobs_expected, first.jobs_done) == (4, 8, 0)
    assert first.seconds_until(first.expected_blocks) == 80
    assert first.running is None


def test_never_more_blocks_are_expected_than_allowed_nor_less_than_one(make_plan: MakePlan) -> None:
    assert board(make_plan("numpy", stop={"budget": 900, "blocks": 3})).expected_blocks == 3
    assert board(make_plan("numpy", stop={"budget": 1})).expected_blocks == 1


def test_a_running_job_and_its_phase_are_known(make_plan: MakePlan, make_record: MakeRecord) -> None:
    plan = make_plan("numpy")
    history = make_block(plan, make_record, 1, 0)
    started, said = replay(board(plan), history[:2]), replay(board(plan), history[:4])
    assert started.running == said.running == plan.build_job(plan.order_cells(plan.runnable, 1)[0], 1, 0)
    assert (started.phase, said.phase) == (None, "steady")


def test_a_job_that_measures_nothing_is_neither_counted_nor_running_once_it_has_ended(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    plan = make_plan("numpy", stop={"budget": 90, "blocks": 32})
    spec = plan.build_job(plan.cells[0], 1, 0)
    begun = replay(board(plan), [(1, JobStarted(spec)), (2, STEADY)])
    after = replay(begun, [(3, UnmeasuredJobEnded(make_record(plan.cells[0])))])
    assert (begun.running, begun.phase) == (spec, "steady")
    assert (after.running, after.phase, after.jobs_done, after.jobs_expected) == (None, None, 0, 8)


def test_a_job_that_ended_is_counted_and_no_longer_running(make_plan: MakePlan, make_record: MakeRecord) -> None:
    plan = make_plan("numpy", stop={"budget": 90, "blocks": 32})
    after = replay(board(plan), make_block(plan, make_record, 1, 0)[:5])
    assert (after.running, after.phase) == (None, None)
    assert (after.jobs_done, after.jobs_expected) == (1, 8)
    assert [result.jobs for group in after.groups for result in group.results].count(1) == 1


def test_the_next_phase_of_another_job_is_not_that_of_the_last(make_plan: MakePlan, make_record: MakeRecord) -> None:
    plan = make_plan("numpy")
    assert replay(board(plan), make_block(plan, make_record, 1, 0)[:6]).phase is None


def test_a_cell_that_was_never_started_is_a_record_but_no_job_done(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    plan = make_plan("numpy")
    after = replay(board(plan), [(0, JobEnded(make_record(plan.cells[0], outcome="unsupported", outside=None)))])
    assert (len(after.records), after.jobs_done) == (1, 0)


def test_what_the_last_block_took_is_what_the_next_is_expected_to_take(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    plan = make_plan("numpy", stop={"budget": 100, "blocks": 32})
    history = [*make_block(plan, make_record, 1, 0), *make_block(plan, make_record, 2, 25)]
    second = replay(board(plan, block_s=5), history[:10])
    assert second.block == 2
    assert second.block_s == 25
    assert second.expected_blocks == 4


def test_the_time_left_shrinks_as_time_passes_and_never_below_nothing(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    plan = make_plan("numpy", stop={"budget": 40, "blocks": 32})
    history = make_block(plan, make_record, 1, 0)
    boards = [replay(board(plan), history[:count]) for count in range(len(history))]
    left = [each.seconds_until(each.expected_blocks) for each in boards]
    assert left == sorted(left, reverse=True)
    assert left[0] == 40
    late = apply_event(replay(board(plan), history), STEADY, 10_000)
    assert late.seconds_until(late.expected_blocks) == 0


def test_when_all_is_done_no_job_is_expected_any_more(make_plan: MakePlan, make_record: MakeRecord) -> None:
    plan = make_plan("numpy", stop={"budget": 45, "blocks": 32})
    history = [*make_block(plan, make_record, 1, 0), *make_block(plan, make_record, 2, 20)]
    after = replay(board(plan), history)
    assert after.jobs_done == after.jobs_expected == 4


def test_jobs_that_were_kept_are_done_but_say_nothing_of_how_long_a_block_takes(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    plan = make_plan("numpy")
    order = plan.order_cells(plan.runnable, 1)
    kept = [(0.0, JobRestored(make_record(cell, 1))) for cell in order]
    after = replay(board(plan), [(0, BlockStarted(1, order)), *kept, (0, BlockStarted(2, order))])
    assert (after.jobs_done, after.block_s, after.block) == (2, 20, 2)
    assert after.groups[0].results[0].jobs == 1


def test_a_block_that_was_disturbed_does_not_change_what_blocks_are_expected_to_take(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    plan = make_plan("numpy", stop={"budget": 1000, "blocks": 32})
    begins = [0, 20, 40, 140, 160]
    history = [entry for block, begin in enumerate(begins, 1) for entry in make_block(plan, make_record, block, begin)]
    assert replay(board(plan), history).block_s == 20


def make_noisy_history(plan: Plan, make_record: MakeRecord, blocks: int, noise: float) -> History:
    """Make the history of blocks whose times scatter by this share, up to the start of the next block."""
    rng, history = random.Random(3), list[tuple[float, SweepEvent]]()
    for block in range(1, blocks + 1):
        history.append((20 * block, BlockStarted(block, plan.cells)))
        history += [
            (20 * block, JobEnded(make_record(cell, block, call_ns=round(100_000 * (1 + rng.gauss(0, noise))))))
            for cell in plan.cells
        ]
    return [*history, (20 * blocks + 20, BlockStarted(blocks + 1, plan.cells))]


def test_nothing_is_foretold_before_three_blocks(make_plan: MakePlan, make_record: MakeRecord) -> None:
    plan = make_plan("numpy", "synthetic:spin", stop={"budget": 10_000, "blocks": 32})
    forecasts = [
        replay(board(plan), make_noisy_history(plan, make_record, blocks, 0.001)).forecast for blocks in (1, 2, 3)
    ]
    assert forecasts[:2] == [None, None]
    assert forecasts[2] is not None
    assert forecasts[2].likely == 8


@pytest.mark.parametrize(("noise", "least", "most"), [(0.001, 8, 8), (0.02, 8, 32), (0.2, 32, 32)])
def test_the_more_noise_the_more_blocks_are_expected(
    make_plan: MakePlan, make_record: MakeRecord, noise: float, least: int, most: int
) -> None:
    plan = make_plan("numpy", "synthetic:spin", stop={"budget": 10_000, "blocks": 32})
    after = replay(board(plan), make_noisy_history(plan, make_record, 6, noise))
    few, many = after.blocks_range
    assert least <= few <= after.expected_blocks <= many <= most
    assert after.seconds_until(after.expected_blocks) == pytest.approx(20 * (after.expected_blocks - 6))
    assert after.seconds_until(many) == pytest.approx(20 * (many - 6))


def test_a_budget_that_does_not_last_until_then_ends_it_before(make_plan: MakePlan, make_record: MakeRecord) -> None:
    plan = make_plan("numpy", "synthetic:spin", stop={"budget": 200, "blocks": 32})
    after = replay(board(plan), make_noisy_history(plan, make_record, 4, 0.2))
    assert after.forecast is not None
    assert after.forecast.likely == 32
    assert after.expected_blocks == after.allowed_blocks < 12
    assert after.blocks_range == (after.allowed_blocks, after.allowed_blocks)


def test_the_least_precise_ratio_is_known_from_the_sixth_block_on_and_narrows(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    plan = make_plan("numpy", "synthetic:spin", stop={"budget": 10_000, "blocks": 32})
    early, sixth, late = (
        replay(board(plan), make_noisy_history(plan, make_record, blocks, 0.02)).widest for blocks in (4, 6, 16)
    )
    assert early is None
    assert sixth is not None
    assert late is not None
    assert sixth[0] in {"numpy:eager", "synthetic:spin"}
    assert late[1] < sixth[1]


def test_a_cell_that_takes_long_is_expected_to_take_long_again(make_plan: MakePlan, make_record: MakeRecord) -> None:
    plan = make_plan("numpy", "synthetic:spin", stop={"budget": 10_000, "blocks": 32})
    short, long, last = plan.order_cells(plan.runnable, 1)
    history: list[tuple[float, SweepEvent]] = [(0.0, BlockStarted(1, (short, long, last)))]
    for cell, began_s, ended_s in ((short, 0.0, 1.0), (long, 1.0, 60.0)):
        job = plan.build_job(cell, 1, 0)
        history += [(began_s, JobStarted(job)), (ended_s, JobEnded(make_record(cell, 1)))]
    after = replay(board(plan, block_s=6), history)
    assert [after.job_s(cell) for cell in (short, long, last)] == [1, 59, 2]
    assert after.rest_of_block_s == 2
    # No block is complete: the jobs that ran say more than the guess did.
    assert after.block_s == 62


def test_guesses_for_each_cell_are_used_before_it_has_run(make_plan: MakePlan) -> None:
    plan = make_plan("numpy")
    guesses_s = {cell.id: 3.0 + place for place, cell in enumerate(plan.runnable)}
    first = Board(plan=plan, started_s=0, now_s=0, guess_s=99, guesses_s=guesses_s)
    assert first.block_s == 7
    assert apply_event(first, BlockStarted(1, plan.runnable), 0).rest_of_block_s == 7


def test_what_is_left_of_the_running_job_counts_and_is_never_below_nothing(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    plan = make_plan("numpy", stop={"budget": 1000, "blocks": 1})
    running = replay(board(plan), make_block(plan, make_record, 1, 0)[:2])
    assert [apply_event(running, STEADY, now_s).rest_of_block_s for now_s in (0, 4, 9, 12, 300)] == [20, 16, 11, 10, 10]


def test_the_budget_bounds_what_is_left_except_for_the_running_job(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    plan = make_plan("numpy", stop={"budget": 25, "blocks": 32})
    running = replay(board(plan), make_block(plan, make_record, 1, 0)[:6])
    assert running.seconds_until(running.expected_blocks) == 10
    assert apply_event(running, STEADY, 30).seconds_until(5) == 0


def test_blocks_that_were_asked_for_by_their_number_have_no_budget(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", stop={"budget": 1, "blocks": 4})
    before = Extension(when="now", stop=plan.spec.stop, blocks=1, least_blocks=4)
    extended = board(dataclasses.replace(plan, extensions=(before,)))
    assert extended.allowed_blocks == 4
    assert extended.seconds_until(4) == 80


def test_the_end_of_a_sweep_for_verdicts_is_foretold_from_its_differences(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    stop = {"budget": 10_000, "blocks": 32, "until": "verdict"}
    plan = make_plan("numpy", "synthetic:spin", stop=stop)
    history: list[tuple[float, SweepEvent]] = []
    for block in range(1, 5):
        history.append((20.0 * block, BlockStarted(block, plan.runnable)))
        for cell in plan.runnable:
            call_ns = (9000 if cell.framework == "numpy" else 1000) + block
            history.append((20.0 * block, JobEnded(make_record(cell, block, call_ns=call_ns))))
    after = replay(board(plan), [*history, (100.0, BlockStarted(5, plan.runnable))])
    assert after.forecast is not None
    assert (after.forecast.soonest, after.forecast.latest) == (8, 8)
