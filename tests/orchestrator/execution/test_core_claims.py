"""A measuring command observes the machine, takes quiet cores that nobody measures on, or refuses, or waits."""

import threading
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution import core_claims
from orchestrator.execution.core_claims import claim_cores
from orchestrator.machine.affinity import list_cores
from tests.orchestrator.machine.test_core_locks import hold_elsewhere

CORES = list_cores()


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "locks"
    folder.mkdir()
    monkeypatch.setenv("PLUMBLINE_LOCKS", str(folder))
    return folder


def test_a_claim_has_as_many_cores_as_are_needed_and_the_activity_before_it(locks: Path, tmp_path: Path) -> None:
    with claim_cores(len(CORES), tmp_path) as claim:
        assert sorted(claim.cores) == sorted(CORES)
        assert claim.now.core_use.keys() >= {*CORES}
        assert len(list(locks.iterdir())) >= 1
    with claim_cores(1, tmp_path, preferred=CORES[:1]) as claim:
        assert claim.cores == CORES[:1]


@pytest.mark.skipif(len(CORES) < 2, reason="there is only one core")
def test_of_two_sweeps_the_second_takes_other_cores_and_says_nothing(locks: Path, tmp_path: Path) -> None:
    said: list[str] = []
    with hold_elsewhere(locks, CORES[0]), claim_cores(1, tmp_path, preferred=CORES[:1], on_wait=said.append) as claim:
        assert claim.cores[0] != CORES[0]
    assert said == []


def test_a_sweep_that_finds_no_core_says_in_one_sentence_who_measures_and_what_to_do(
    locks: Path, tmp_path: Path
) -> None:
    with hold_elsewhere(locks, *CORES) as holder, pytest.raises(UsageError) as refused, claim_cores(1, tmp_path):
        pass
    text = str(refused.value)
    assert text.startswith(f"too few cores are free to measure on (1 needed, 0 free): process {holder.pid} of ")
    assert text.endswith("; wait for them with --wait")
    assert "\n" not in text


def test_a_sweep_that_waits_says_so_once_and_goes_on_when_a_core_is_free(
    locks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_claims, "POLL_S", 0.05)
    monkeypatch.setattr(core_claims, "OBSERVATION_S", 0.05)
    said: list[str] = []
    with hold_elsewhere(locks, *CORES) as holder:
        timer = threading.Timer(1.0, holder.kill)
        timer.start()
        with claim_cores(1, tmp_path, on_wait=said.append) as claim:
            assert len(claim.cores) == 1
        timer.join()
    assert len(said) == 1
    assert said[0].startswith(f"Waiting for free cores: process {holder.pid} of ")
