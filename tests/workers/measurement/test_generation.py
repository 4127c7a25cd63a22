"""Loops that generate: their calls in order, what is timed by position, and real modes that generate the same."""

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from schemas.event import Generation
from schemas.job import JobSpec
from workers.errors import Unsupported
from workers.measurement import generation
from workers.measurement.generation import LoopedStep, measure_generation, repeat_calls, repeat_like

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported


class Waits:
    """A framework that counts how often it was waited for."""

    def __init__(self) -> None:
        self.waited: list[tuple[Any, ...]] = []

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        self.waited.append(outputs)


class Counter:
    """A step that returns its number of calls so far, and a state longer by one, which takes as many nanoseconds."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self.now = 0

    def __call__(self, token: int, state: str) -> tuple[Any, ...]:
        self.seen.append((token, state))
        self.now += len(state)
        return token * 10, token + 1, f"{state}x"

    def tick(self) -> int:
        return self.now


def test_a_loop_feeds_what_a_call_returns_after_its_result_to_the_next_call() -> None:
    step = Counter()
    assert LoopedStep(step, 3)(4, "a") == (40, 50, 60)
    assert step.seen == [(4, "a"), (5, "ax"), (6, "axx")]


def test_a_step_that_is_called_once_is_itself() -> None:
    step, plain = Counter(), Waits()
    assert repeat_calls(plain, step, 1) is step  # type: ignore[arg-type]
    looped = repeat_calls(plain, step, 4)  # type: ignore[arg-type]
    assert isinstance(looped, LoopedStep)
    again = repeat_like(plain, looped, step)  # type: ignore[arg-type]
    assert isinstance(again, LoopedStep)
    assert again.calls == 4
    assert repeat_like(plain, step, step) is step  # type: ignore[arg-type]


class OverwritesAlone(Waits):
    """A framework whose step overwrites its outputs, and that cannot copy them."""

    reuses_outputs = True


def test_a_loop_over_outputs_that_nothing_copies_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="overwrite the outputs of earlier calls, which a loop still needs"):
        repeat_calls(OverwritesAlone(), Counter(), 2)  # type: ignore[arg-type]


class Overwrites(Waits):
    """A framework whose step returns the same lists again, filled with new values."""

    reuses_outputs = True

    def __init__(self) -> None:
        super().__init__()
        self.made: tuple[list[int], list[int]] = ([0], [0])

    def step(self, token: list[int]) -> tuple[Any, ...]:
        self.made[0][0], self.made[1][0] = 10 * token[0], token[0] + 1
        return self.made

    def copy_outputs(self, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(map(list, outputs))


def test_outputs_that_a_later_call_overwrites_are_copied() -> None:
    framework = Overwrites()
    assert repeat_calls(framework, framework.step, 3)([4]) == ([40], [50], [60])  # type: ignore[arg-type]
    framework.reuses_outputs = False
    assert repeat_calls(framework, framework.step, 3)([4]) == ([60], [60], [60])  # type: ignore[arg-type]


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "read_kept_bytes", lambda: 0)


@pytest.mark.usefixtures("no_memory")
def test_each_call_is_timed_by_its_position_and_waited_for() -> None:
    step, framework = Counter(), Waits()
    found = measure_generation(framework, LoopedStep(step, 3), [(1, "ab"), (2, "abcd")], step.tick)  # type: ignore[arg-type]
    assert found.calls_ns[:3] == ((2, 3, 4), (4, 5, 6), (2, 3, 4))
    assert len(framework.waited) == len(step.seen) == 3 * len(found.calls_ns)
    assert found.anonymous == ()


@pytest.mark.usefixtures("no_memory")
@pytest.mark.parametrize(
    ("call_ns", "calls", "loops"),
    [
        (1, 3, generation.MOST_LOOPS),
        (generation.LONGEST_NS, 3, 1),
        (generation.LONGEST_NS // 20, 3, 3),
        (1, generation.MOST_TIMES // 7, 7),
        (1, 2 * generation.MOST_TIMES, 1),
    ],
    ids=["short", "long", "middling", "of many calls", "of too many calls"],
)
def test_loops_are_neither_too_few_nor_too_many(call_ns: int, calls: int, loops: int) -> None:
    clock = count(0, call_ns)
    step = LoopedStep(lambda: (1,), calls)
    found = measure_generation(Waits(), step, [()], lambda: next(clock))  # type: ignore[arg-type]
    assert len(found.calls_ns) == loops
    assert {len(each) for each in found.calls_ns} == {calls}


def test_memory_is_read_twice_however_many_calls_a_loop_has(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = count(1000, 16)
    monkeypatch.setattr(generation, "read_kept_bytes", lambda: next(sizes))
    found = measure_generation(Waits(), LoopedStep(Counter(), 300), [(1, "a")])  # type: ignore[arg-type]
    assert found.anonymous == (1000, 1016)
    assert next(sizes) == 1032


MODES = (("numpy", "eager"), ("torch", "eager"), ("torch", "trace"), ("torch", "script"), ("jax", "jit"))


@pytest.mark.parametrize("workload", ["decode_steps", "gpt_steps"])
@pytest.mark.parametrize(("framework", "mode"), MODES)
def test_a_mode_generates_what_the_reference_does(
    ask: "Ask", reported: "Reported", framework: str, mode: str, workload: str
) -> None:
    pytest.importorskip(framework)
    found = reported(ask(framework, mode, workload, {"steps": 5}, task="forward", batch=2))
    assert found.verification.reason == ""
    assert found.generation is not None
    assert {len(each) for each in found.generation.calls_ns} == {5}
    names = {check.tensor for check in found.verification.checks}
    assert len(names) == 5
    # A prompt of another length is verified too.
    assert len(found.new_shapes) == 1


@pytest.fixture
def state_of(ask: "Ask") -> Callable[..., JobSpec]:
    """Return a job of a transformer whose cache is most of what a call keeps."""
    sizes = {"layers": 2, "heads": 4, "head_width": 64, "vocabulary": 16, "context": 8, "prompt": 2, "steps": 16}
    return lambda framework, mode: ask(framework, mode, "gpt_steps", sizes, task="forward", batch=8)


@pytest.mark.long
@pytest.mark.parametrize(("framework", "mode"), [("numpy", "eager"), ("torch", "eager")])
def test_a_growing_state_is_seen_in_the_memory_of_the_loop(
    state_of: Callable[..., JobSpec], reported: "Reported", framework: str, mode: str
) -> None:
    pytest.importorskip(framework)
    found = reported(state_of(framework, mode)).generation
    assert isinstance(found, Generation)
    # Keys and values of 17 tokens: 2 layers of 8 x 4 x 64 numbers of 4 bytes each.
    cached = 2 * 17 * 2 * 8 * 4 * 64 * 4
    assert found.anonymous[-1] - found.anonymous[0] >= 0.8 * cached
