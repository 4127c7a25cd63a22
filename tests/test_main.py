"""The suite's command `python -m tests`: its steps, and its exit code."""

from collections.abc import Sequence

import pytest

from tests.__main__ import SUITES, make_steps, run_steps

OK, FAILED, NOTHING = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED


EACH_SUITE: list[list[str]] = [[], *([argument] for argument in SUITES)]


def find_expression(step: Sequence[str]) -> str:
    return step[step.index("-m") + 1]


def test_every_test_is_selected_by_exactly_one_step() -> None:
    expressions = [find_expression(step) for arguments in EACH_SUITE for step in make_steps(arguments)]
    lengths = [(), ("long",), ("long", "exhaustive")]
    for marks in [(*length, *others) for length in lengths for others in ((), ("measures",), ("public",))]:
        values = {name: name in marks for name in ("long", "exhaustive", "measures", "public")}
        # Models of public libraries are a step of their own.
        assert sum(eval(expression, {}, values) for expression in expressions) == ("public" not in marks)


def test_only_what_measures_nothing_runs_in_parallel() -> None:
    for arguments in EACH_SUITE:
        parallel, alone = make_steps(arguments)
        assert find_expression(parallel).endswith("not measures")
        assert "-n" in parallel
        assert "-n" not in alone


def test_other_arguments_go_to_pytest_in_both_steps() -> None:
    for step in make_steps(["-x", "--long", "tests/schemas"]):
        assert step[-2:] == ["-x", "tests/schemas"]
        assert "--long" not in step


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([OK, OK], OK),
        ([OK, NOTHING], OK),
        ([NOTHING, OK], OK),
        ([NOTHING, NOTHING], NOTHING),
        ([FAILED, OK], FAILED),
        ([OK, FAILED], FAILED),
        ([NOTHING, FAILED], FAILED),
        ([pytest.ExitCode.INTERNAL_ERROR, FAILED], pytest.ExitCode.INTERNAL_ERROR),
        ([-9, OK], -9),
    ],
)
def test_the_exit_code_is_that_of_the_first_step_that_fails(codes: list[int], code: int) -> None:
    waiting = iter(codes)
    assert run_steps([], lambda _: next(waiting)) == code


def test_the_second_step_runs_also_after_the_first_has_failed() -> None:
    calls: list[Sequence[str]] = []

    def fail(command: Sequence[str]) -> int:
        calls.append(command)
        return FAILED

    run_steps([], fail)
    assert len(calls) == 2
