"""A stream has many shapes, each comes equally often, and the cost of a new one is recorded."""

from typing import TYPE_CHECKING, cast

import pytest

from schemas.event import Failure, Phase
from workers.interfaces import Framework
from workers.measurement.new_shapes import RecordingStep
from workers.problem.shape_stream import STREAM_LENGTH

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported, Work


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


@pytest.mark.long
@pytest.mark.parametrize(("framework", "mode", "workload", "compilations"), STREAMS)
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
