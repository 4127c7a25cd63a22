"""Functions compared in a notebook, which a real kernel runs from beginning to end."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.orchestrator.functions.test_compare import INPUTS, SUMS

pytestmark = [
    pytest.mark.skipif(
        not (find_spec("nbclient") and find_spec("ipykernel")), reason="nbclient and ipykernel are not installed"
    ),
    # Of Jupyter's own packages, which announce what they will change.
    pytest.mark.filterwarnings("ignore"),
]

COMPARE = """
from orchestrator.api import compare

timing = {"samples": 10, "sample_ns": 100_000, "warmup_min_ns": 1_000_000}
found = compare({"slow": "sums:slow", "fast": "sums:fast"}, inputs="sums:inputs", blocks=1, timing=timing)
"""


def run_notebook(folder: Path, *cells: str) -> Sequence[Any]:
    """Run a notebook with these cells in a folder, and return its cells with their outputs."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python", "language": "python"}
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook.cells  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def find_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernel find this program, wherever the notebook is."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


@pytest.mark.long
def test_a_notebook_shows_progress_while_it_measures_and_then_the_table(tmp_path: Path) -> None:
    write, compare, show = run_notebook(tmp_path, f"%%writefile sums.py\n{SUMS}{INPUTS}", COMPARE, "found")
    assert "Writing sums.py" in write.outputs[0]["text"]
    progress = "".join(each["text"] for each in compare.outputs if each.get("name") == "stderr")
    assert "block 1, process 1 of 3" in progress
    (table,) = (each["data"] for each in show.outputs)
    assert table["text/html"].count("<tr>") == 3
    assert "fast  " in table["text/plain"]
    assert len(list(tmp_path.joinpath("runs").iterdir())) >= 1


@pytest.mark.long
def test_a_function_of_the_notebook_itself_is_refused_with_what_to_write(tmp_path: Path) -> None:
    cell = (
        "from orchestrator.api import UsageError, compare\n"
        "def f(): ...\n"
        "try:\n    compare({'f': f, 'g': f})\nexcept UsageError as error:\n    print(error)"
    )
    (ran,) = run_notebook(tmp_path, cell)
    assert "put it into a module (%%writefile nets.py in a notebook)" in ran.outputs[0]["text"]
