"""Options of a sweep become the settings of a sweep file, and override those of a file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.sweep_options import LATENCY_CALLS
from schemas.sweep import SweepSpec


@pytest.mark.parametrize(
    ("words", "calls"),
    [((), 0), (("--latency",), LATENCY_CALLS), (("few.toml",), 77), (("few.toml", "--latency"), 1000)],
)
def test_latency_asks_for_single_calls(
    inside: Callable[..., Any], tmp_path: Path, words: tuple[str, ...], calls: int
) -> None:
    (tmp_path / "few.toml").write_text("[timing]\nlatency_calls = 77\n")
    said = inside("plan", *words, "--frameworks", "numpy", "--env", "current", "--json")
    assert SweepSpec.model_validate(json.loads(said.out)["sweep"]).timing.latency_calls == calls


def test_clients_at_once_are_a_list_of_numbers(inside: Callable[..., Any]) -> None:
    asked = ("plan", "--frameworks", "numpy", "--env", "current", "--tasks", "forward", "--json", "--concurrency")
    said = inside(*asked, "1, 2,8")
    assert SweepSpec.model_validate(json.loads(said.out)["sweep"]).timing.concurrency == (1, 2, 8)
    for wrong in ("0", "1,x", "300"):
        refused = inside(*asked, wrong)
        assert refused.code == ExitCode.USAGE
        assert "timing.concurrency" in refused.err


@pytest.mark.parametrize(
    ("words", "pairs"),
    [((), "asked"), (("--pairs", "all"), "all"), (("all.toml",), "all"), (("all.toml", "--pairs", "asked"), "asked")],
)
def test_the_compared_pairs_are_those_that_are_asked_or_all(
    inside: Callable[..., Any], tmp_path: Path, words: tuple[str, ...], pairs: str
) -> None:
    (tmp_path / "all.toml").write_text('pairs = "all"\n')
    said = inside("plan", *words, "--frameworks", "numpy", "--env", "current", "--json")
    assert SweepSpec.model_validate(json.loads(said.out)["sweep"]).pairs == pairs


@pytest.mark.parametrize(
    ("option", "valid"), [("--pairs", "'asked' or 'all'"), ("--until", "'precision' or 'verdict'")]
)
def test_an_unknown_word_is_answered_with_the_valid_ones(inside: Callable[..., Any], option: str, valid: str) -> None:
    said = inside("plan", "--frameworks", "numpy", option, "some")
    assert said.code == ExitCode.USAGE
    assert said.err.startswith("error: ")
    assert said.err.endswith(f"input should be {valid}, not 'some'\n")


@pytest.mark.parametrize(
    ("words", "tasks"),
    [
        (("--tasks", "train"), ["train-sgd", "train-adam"]),
        (("--tasks", "forward,train", "--optimizer", "adamw"), ["forward", "train-adamw"]),
        (("--tasks", "train", "--optimizer", "adamw,sgd"), ["train-adamw", "train-sgd"]),
        (("train.toml", "--optimizer", "adam"), ["train-adam", "backward"]),
    ],
)
def test_an_optimizer_says_which_training_step_is_meant(
    inside: Callable[..., Any], tmp_path: Path, words: tuple[str, ...], tasks: list[str]
) -> None:
    (tmp_path / "train.toml").write_text('[axes]\ntasks = ["train", "backward"]\n')
    said = inside("plan", *words, "--frameworks", "numpy", "--env", "current", "--json")
    assert json.loads(said.out)["sweep"]["axes"]["tasks"] == tasks


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--optimizer", "adam"), "--optimizer adam is the update of the task train; add --tasks train"),
        (
            ("--tasks", "train-sgd", "--optimizer", "adam"),
            "--optimizer adam is the update of the task train; add --tasks train",
        ),
        (("--tasks", "train", "--optimizer", "adan"), "unknown optimizer 'adan'; did you mean adam or adamw?"),
        (("--tasks", "train", "--optimizer", "rmsprop"), "unknown optimizer 'rmsprop'; valid: adam, adamw, own, sgd"),
    ],
)
def test_an_optimizer_that_says_nothing_is_one_sentence(
    inside: Callable[..., Any], words: tuple[str, ...], error: str
) -> None:
    said = inside("plan", *words, "--frameworks", "numpy")
    assert (said.code, said.err) == (ExitCode.USAGE, f"error: {error}\n")
