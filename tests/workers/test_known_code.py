"""Models that cheat are barred, each for its true reason, and honest ones are measured, however odd."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.execution.classify import classify_report
from orchestrator.selftest import known_code
from orchestrator.selftest.known_code import Kind
from schemas.event import Failure, Report

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work

# Their times accuse them, which needs a quiet machine: `selftest --trust` measures them as a sweep does.
TIMED = [kind for kind in known_code.list_kinds() if kind.outcome == "implausible"]
CHECKED = [kind for kind in known_code.list_kinds() if kind not in TIMED]


def name(kind: Kind) -> str:
    return f"{kind.label} {kind.task} {kind.name}"


@pytest.mark.long
@pytest.mark.parametrize("kind", CHECKED, ids=[name(kind) for kind in CHECKED])
def test_a_model_comes_to_what_it_is(kind: Kind, ask: "Ask", work: "Work", tmp_path: Path) -> None:
    framework, _, mode = kind.label.partition(":")
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    workload = known_code.write_folders(tmp_path)[kind.folder]
    spec = ask(framework, mode, workload.name, kind.parameters, task=kind.task, code=workload.code)
    pinned = {"cpus": (min(os.sched_getaffinity(0)),)} if sys.platform == "linux" else {}
    last = work(spec.model_copy(update={"source_dir": workload.source_dir, **pinned})).events[-1]
    if isinstance(last, Failure):
        assert (last.outcome, kind.said in last.reason) == (kind.outcome, True), last.reason
        return
    assert isinstance(last, Report), last
    found = classify_report(last, last.ceiling)
    if kind.outcome == "measured":
        assert last.verification.reason == "", last.verification.reason
        assert found.outcome in ("measured", "implausible", "nonlinear"), (
            found.reason
        )  # the latter need a quiet machine
    else:
        assert (found.outcome, kind.said in found.reason) == (kind.outcome, True), found.reason


def test_there_are_enough_kinds_of_both_for_every_framework_and_task() -> None:
    cheats, odd = known_code.list_cheats(), known_code.list_odd()
    assert len({each.number for each in cheats}) >= 30
    assert len({each.number for each in odd}) >= 20
    for kinds in (cheats, odd):
        assert {each.label.partition(":")[0] for each in kinds} == {"torch", "tensorflow", "jax"}
        assert {each.task for each in kinds} >= {"forward", "backward", "train-sgd"}
        assert len({(each.label, each.task, each.number, each.is_wide) for each in kinds}) == len(kinds)
