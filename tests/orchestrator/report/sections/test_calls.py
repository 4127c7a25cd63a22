"""The answer for a number of calls, in words and as data, with and without a verdict."""

import json
import re

import pytest

from orchestrator.report.sections.calls import best_modes_to_list, describe_best_modes
from tests.orchestrator.analysis.test_calls import MODES, MakeGroup, make_group

__all__ = ["make_group"]


def test_nothing_is_said_that_was_not_asked(make_group: MakeGroup) -> None:
    assert describe_best_modes([make_group(12)], None) == []
    assert best_modes_to_list([make_group(12)], None) is None


def test_the_answer_names_the_best_mode_its_total_and_what_the_others_take(make_group: MakeGroup) -> None:
    (said,) = describe_best_modes([make_group(12)], 500)
    model, imported = re.split(r"(?<=longer)\. ?", said)[:2]
    assert re.fullmatch(
        r"For 500 calls from the finished model, compiling included, torch:eager takes the least time, 1\.50 ms in all "
        r"\(1\.50 ms to 1\.50 ms\); numpy:eager \(4\.50 ms\) and torch:script \(11\.0 ms\) take longer",
        model,
    )
    assert imported.startswith("For 500 calls with the import, numpy:eager takes the least time, 1.00 s in all (")


def test_one_call_is_one(make_group: MakeGroup) -> None:
    assert describe_best_modes([make_group(12)], 1)[0].startswith("For 1 call from the finished model")


@pytest.mark.parametrize("blocks", [1, 3])
def test_without_a_verdict_it_says_what_is_known(make_group: MakeGroup, blocks: int) -> None:
    (said,) = describe_best_modes([make_group(blocks)], 500)
    assert "torch:eager has the least time, 1.50 ms in all" in said
    assert "this run cannot tell it apart from numpy:eager (4.50 ms) or torch:script (11.0 ms)" in said
    assert f"though it was ahead in each of {blocks} blocks" in said or blocks == 1
    assert ("in one process" in said) is (blocks == 1)
    assert ("in 3 processes" in said) is (blocks == 3)


def test_a_mode_alone_has_its_total(make_group: MakeGroup) -> None:
    (said,) = describe_best_modes([make_group(8, "numpy:eager")], 500)
    assert "compiling included, numpy:eager takes 4.50 ms in all (" in said


def test_several_computations_are_told_apart(make_group: MakeGroup) -> None:
    group = make_group(12)
    assert all(": For 500 calls" in said for said in describe_best_modes([group, group], 500))


def test_the_document_has_the_same_answer(make_group: MakeGroup) -> None:
    found = best_modes_to_list([make_group(12)], 500)
    model, imported = json.loads(json.dumps(found, allow_nan=False))
    assert (model["start"], imported["start"]) == ("model", "import")
    assert (model["best"], imported["best"]) == (["torch:eager"], ["numpy:eager"])
    assert {total["mode"] for total in model["totals"]} == set(MODES)
    for total in model["totals"]:
        assert total["total_ns"]["low"] <= total["total_ns"]["estimate"] <= total["total_ns"]["high"]
    few = best_modes_to_list([make_group(2)], 500)
    assert few is not None
    assert few[0]["totals"][0]["total_ns"]["low"] is None
