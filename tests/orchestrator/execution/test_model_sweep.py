"""A sweep of a model in code by the whole program, as a user starts it and reads it through a pipe."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

HEAD = """
import torch

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(16, 16)

    def forward(self, x):
        return {}

def inputs(batch=1):
    return (torch.randn(batch, 16),)
"""


def sweep(folder: Path, result: str, *words: str) -> str:
    """Sweep a model with this result in PyTorch, eager, traced and scripted, and return all that is printed."""
    folder.joinpath("net.py").write_text(HEAD.format(result))
    modes = "torch:eager,torch:trace,torch:script"
    command = [sys.executable, "-m", "orchestrator", "sweep", "--model", "net.py", "--frameworks", modes]
    done = subprocess.run(
        [*command, "--blocks", "1", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout
    return done.stdout


@pytest.mark.long
@pytest.mark.exhaustive
def test_a_number_that_tracing_bakes_in_sets_that_mode_apart_from_those_that_agree(tmp_path: Path) -> None:
    said = sweep(tmp_path, "self.layer(x) * float(x.abs().max())")
    flat = " ".join(said.split())
    assert "• torch:eager and torch:script agree with each other exactly; torch:trace differs from them by 0." in flat
    matrix = said[said.index("Largest relative difference of results") :].partition("\n\n")[0]
    rows = {line.split()[1]: line.split()[3::2] for line in matrix.splitlines() if "torch:" in line}
    assert rows == {"torch:eager": ["="], "torch:trace": ["≠", "≠"], "torch:script": ["=", "=", "≠"]}


@pytest.mark.long
def test_a_model_that_nothing_can_verify_says_why_once_however_many_tasks_and_modes(tmp_path: Path) -> None:
    said = sweep(tmp_path, "self.layer(x) + torch.rand(16)", "--tasks", "forward,backward")
    progress = [line for line in said.splitlines() if line.startswith("[")]
    assert sum("two calls of net.py on the same inputs differ" in line for line in progress) == 1
    assert {line.rpartition(": ")[2] for line in progress if line.startswith("[not started]")} == {
        "raised, for the reason above"
    }
    assert sum(line.startswith("[not started]") for line in progress) == 7
