"""A stream has many shapes, each comes equally often, and the cost of a new one is recorded."""

from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from schemas.event import Failure, Phase
from tests.selection import mark_long
from workers.interfaces import Framework
from workers.measurement.new_shapes import RecordingStep
from workers.problem.problem import Problem
from workers.problem.shape_stream import STREAM_LENGTH, draw_stream, spread_sizes

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported, Work


@pytest.mark.parametrize("size", [1, 2, 5, 16, 100, 4096])
def test_the_sizes_of_a_stream_are_all_different_and_lie_around_the_one_asked_for(size: int) -> None:
    sizes = spread_sizes(size, least=1)
    assert len(set(sizes)) == STREAM_LENGTH
    assert min(sizes) == max(1, size // 2)
    assert max(sizes) >= size


def test_a_stream_is_of_lengths_where_the_inputs_decide_one() -> None:
    parameters = {"hidden": 3, "length": 16, "fixed_length": 0}
    found = draw_stream(parameters, 2, np.random.default_rng(1))
    assert {batch for _, batch in found} == {2}
    assert len({sizes["length"] for sizes, _ in found}) == STREAM_LENGTH
    assert {sizes["hidden"] for sizes, _ in found} == {3}


@pytest.mark.parametrize("parameters", [{"width": 3}, {"length": 16, "fixed_length": 1}])
def test_a_stream_is_of_batches_elsewhere(parameters: dict[str, int]) -> None:
    found = draw_stream(parameters, 8, np.random.default_rng(1))
    assert all(sizes == parameters for sizes, _ in found)
    assert len({batch for _, batch in found}) == STREAM_LENGTH


def test_the_same_seed_gives_the_same_stream_in_an_order_that_is_not_that_of_size() -> None:
    one, again, other = (draw_stream({"width": 3}, 8, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert sorted(batch for _, batch in one) != [batch for _, batch in one]


def test_the_work_of_a_stream_is_that_of_its_calls_in_the_mean(ask: "Ask") -> None:
    fixed, streamed = (
        Problem(ask("numpy", "eager", "mlp", batch=16, shapes=shapes).cell, 7) for shapes in ("fixed", "stream")
    )
    batches = [inputs[0].shape[0] for inputs in streamed.input_sets]
    assert streamed.count_work().flops == fixed.count_work().flops // 16 * sum(batches) // STREAM_LENGTH
    assert streamed.infer_axes() == [(None, 32)]


@pytest.mark.parametrize(
    ("workload", "shapes", "uneven"),
    [("mlp", "fixed", False), ("mlp", "stream", True), ("early_exit", "fixed", True), ("lstm_tagger", "fixed", True)],
)
def test_where_sets_of_inputs_are_not_the_same_work_it_is_known(
    ask: "Ask", workload: str, shapes: str, *, uneven: bool
) -> None:
    assert Problem(ask("numpy", "eager", workload, shapes=shapes).cell, 7).is_uneven is uneven


class Compiler:
    """A compiler that spends a thousand ticks of its clock on each new number, where a call takes ten."""

    def __init__(self) -> None:
        self.now, self.seen = 0, set[int]()

    def step(self, number: int) -> tuple[int]:
        self.now += 10 if number in self.seen else 1010
        self.seen.add(number)
        return (number,)

    def compilations(self) -> int:
        return len(self.seen)

    def synchronise(self, outputs: object) -> None:
        self.now += 1


def noted(*, twice: bool) -> tuple[RecordingStep, Compiler]:
    compiler = Compiler()
    return RecordingStep(cast("Framework", compiler), compiler.step, twice=twice, clock=lambda: compiler.now), compiler


def test_the_first_call_at_a_shape_is_told_from_the_next_and_its_compilations_are_counted() -> None:
    step, _ = noted(twice=True)
    assert [step(number) for number in (1, 2, 1)] == [(1,), (2,), (1,)]
    notes = [(note.first_ns, note.second_ns, note.compilations) for note in step.notes]
    assert notes == [(1011, 11, 1), (1011, 11, 1), (11, 11, 0)]


def test_where_weights_move_with_each_call_there_is_one_call_at_each_shape() -> None:
    step, compiler = noted(twice=False)
    step(1)
    assert (step.notes[0].second_ns, compiler.now) == (None, 1011)


STREAMS = [
    ("numpy", "eager", "mlp", None),
    ("torch", "eager", "rnn", None),
    ("torch", "script", "rnn", None),
    ("tensorflow", "function", "rnn", 0),
    ("tensorflow", "xla", "mlp", STREAM_LENGTH - 1),
    ("jax", "jit", "rnn", STREAM_LENGTH - 1),
]


@pytest.mark.parametrize(
    ("framework", "mode", "workload", "compilations"),
    mark_long(
        STREAMS, quick=[each for each in STREAMS if each[1] in ("eager", "function", "jit") and each[0] != "torch"]
    ),
)
def test_a_stream_is_measured_and_every_shape_of_it_verified(
    ask: "Ask", reported: "Reported", framework: str, mode: str, workload: str, compilations: int | None
) -> None:
    found = reported(ask(framework, mode, workload, {"length": 4} if workload == "rnn" else {}, shapes="stream"))
    assert found.verification.reason == ""
    assert len({check.inputs for check in found.verification.checks if "of shape" in check.inputs}) == STREAM_LENGTH - 1
    assert len(found.new_shapes) == STREAM_LENGTH - 1
    counted = [note.compilations for note in found.new_shapes]
    assert (None if counted[0] is None else sum(filter(None, counted))) == compilations
    assert found.calls % STREAM_LENGTH == 0
    assert found.compilations in (0, None)


def test_calls_at_new_shapes_are_a_part_of_what_came_before_calls_were_steady(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("numpy", "eager", "mlp", shapes="stream"))
    laps = [(1, took) for note in found.new_shapes for took in (note.first_ns, note.second_ns)]
    assert list(found.warmup[2 : 2 + len(laps)]) == laps


def test_a_cell_of_one_shape_notes_the_others_after_all_timing(ask: "Ask", work: "Work") -> None:
    ended = work(ask("numpy", "eager", "rnn"))
    phases = [event.name for event in ended.events if isinstance(event, Phase)]
    assert phases.index("new_shapes") > phases.index("memory") > phases.index("steady")
    assert len(ended.report.new_shapes) == 2


def test_a_mode_that_is_not_right_on_a_whole_stream_is_wrong_and_has_no_time(ask: "Ask", work: "Work") -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    last = work(ask("torch", "trace", "rnn", {"length": 4}, shapes="stream")).events[-1]
    assert isinstance(last, Failure)
    assert last.outcome == "wrong"
    assert "on inputs of shape" in last.reason
    assert last.where == ""
