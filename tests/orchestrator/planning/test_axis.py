"""The axis that a sweep compares by: usual values, and refusals before anything is created."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import UsageError
from orchestrator.planning import plan as planning
from orchestrator.planning.axis import complete_axis, describe_compared_axis
from orchestrator.planning.plan import Plan
from schemas.sweep import SweepSpec
from tests.orchestrator.conftest import Said, a_plan

Inside = Callable[..., Said]


def a_plan_by(axis: str, *frameworks: str, axes: dict[str, Any] | None = None, **said: object) -> Plan:
    return a_plan(*frameworks, axes=axes, compare_by=axis, **said)


def test_without_values_threads_are_one_and_all_cores() -> None:
    assert sorted({cell.threads for cell in a_plan_by("threads").cells}) == [1, 2]
    spec = SweepSpec.model_validate({"compare_by": "threads"})
    assert complete_axis(spec, 8).axes.threads == (1, 8)
    assert complete_axis(spec, 1).axes.threads == (1,)


def test_without_values_dtypes_are_float32_and_bfloat16() -> None:
    spec = SweepSpec.model_validate({"compare_by": "dtype", "axes": {"frameworks": ["torch:eager"]}})
    assert complete_axis(spec, 2).axes.dtype == ("float32", "bfloat16")


def test_without_values_precisions_are_all_dtypes_and_modes_in_8_bits_keep_float32() -> None:
    plan = a_plan_by("precision", "numpy", "onnxruntime:int8-static")
    dtypes = {mode: {cell.dtype for cell in plan.cells if cell.mode == mode} for mode in ("eager", "int8-static")}
    assert dtypes == {"eager": {"float32", "float64", "bfloat16", "float16"}, "int8-static": {"float32"}}


def test_values_that_are_given_win() -> None:
    spec = SweepSpec.model_validate({"compare_by": "threads", "axes": {"threads": [2, 4]}})
    assert complete_axis(spec, 8) == spec
    assert complete_axis(SweepSpec(), 8) == SweepSpec()


def test_a_plan_that_is_made_again_for_another_number_of_cores_has_the_same_cells() -> None:
    plan = a_plan_by("threads")
    kept = SweepSpec.model_validate_json(plan.spec.model_dump_json())
    assert planning.rebuild_plan(kept, plan.seed, tuple(range(8))).cells == plan.cells


@pytest.mark.parametrize(
    ("axis", "hint"),
    [
        ("batch", "--batch 1,32"),
        ("environment", "--env"),
        ("depth", "--workloads mlp:depth=8/32"),
        ("task", "--tasks forward,backward"),
        ("cache", "--cache"),
    ],
)
def test_one_value_is_refused_with_the_way_to_name_more(axis: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"nothing to compare by {axis}: .*{hint}"):
        a_plan_by(axis)


def test_values_that_cannot_run_here_are_refused_with_their_reason() -> None:
    with pytest.raises(UsageError, match=r"nothing to compare by dtype: .* does not compute in bfloat16"):
        a_plan_by("dtype")


def test_a_mode_without_the_second_value_does_not_keep_another_from_its_comparison() -> None:
    plan = a_plan_by("dtype", "numpy", "torch:eager")
    refused = {cell.framework for cell in plan.cells if cell.id in plan.refused}
    assert "numpy" in refused


def test_the_baseline_may_be_a_mode_or_a_value() -> None:
    a_plan_by("threads", baseline="2")
    a_plan_by("threads", baseline="numpy:eager")
    with pytest.raises(UsageError, match="unknown baseline '3'"):
        a_plan_by("threads", baseline="3")
    with pytest.raises(UsageError, match="unknown baseline '2'"):
        a_plan(axes={"threads": (1, 2)}, baseline="2")


def test_a_plan_describes_the_ratios_that_it_will_have() -> None:
    plan = a_plan_by("threads")
    said = describe_compared_axis(plan.spec, plan.runnable)
    assert said == "Compared by threads: calls with 1 thread, with 2 threads; 2 ratios."
    plain = a_plan()
    assert describe_compared_axis(plain.spec, plain.runnable) == ""


@pytest.mark.parametrize("command", ["plan", "sweep"])
@pytest.mark.parametrize(
    ("axis", "sentence"),
    [
        ("variant", "error: unknown axis 'variant' to compare by; valid: threads, "),
        ("length", "error: unknown axis 'length' to compare by; valid: threads, "),
        ("batch", "error: nothing to compare by batch: no mode has two values of it; name several, as in --batch 1,32"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence_and_creates_nothing(
    inside: Inside, tmp_path: Path, command: str, axis: str, sentence: str
) -> None:
    said = inside(command, "--frameworks", "numpy", "--workloads", "mlp", "--env", "current", "--compare-by", axis)
    assert (said.code, said.out, len(said.err.splitlines())) == (ExitCode.USAGE, "", 1)
    assert said.err.startswith(sentence)
    assert list(tmp_path.iterdir()) == []


def test_a_plan_shows_the_comparison(inside: Inside) -> None:
    words = ("--frameworks", "numpy", "--workloads", "mlp:depth=2/3", "--env", "current", "--compare-by", "depth")
    said = inside("plan", *words)
    assert said.code == ExitCode.FINE, said.err
    assert "Compared by depth: calls with depth 2, with depth 3; 1 ratio." in said.out
