from collections.abc import Callable

import pytest

from orchestrator.errors import UsageError
from orchestrator.planning import request
from orchestrator.planning.plan import Plan
from orchestrator.registry.workloads import resolve_workloads

MakePlan = Callable[..., Plan]


def parse(text: str) -> request.WorkloadChoice:
    return request.parse_workload(text, resolve_workloads([text]))


def test_a_number_with_thousands_of_digits_is_a_mistake_as_well() -> None:
    with pytest.raises(UsageError):
        parse("rnn:length=" + "1" * 5000)


def test_parameters_that_are_not_given_have_their_defaults() -> None:
    choice = parse("rnn:length=32:hidden=7")
    assert (choice.workload, choice.code) == ("rnn", "")
    assert dict(choice.parameters) == {"hidden": 7, "input": 10, "length": 32, "fixed_length": 0}


@pytest.mark.timeout(20)
def test_a_sweep_of_more_cells_than_anybody_can_run_is_refused_before_it_fills_the_memory(make_plan: MakePlan) -> None:
    many = tuple(range(1, 4000))
    with pytest.raises(UsageError, match="more than 10000 combinations"):
        make_plan(axes={"batch": many, "threads": many})
