"""Real sweeps over models that are called in a loop: exported ones, and a user's with a nested state."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from orchestrator.records.store import read_recent
from schemas.record import JobRecord
from tests.orchestrator.cli.test_docs import read_page
from tests.orchestrator.quick import PROGRAM, QUICK

pytestmark = [pytest.mark.long, pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")]


def sweep(folder: Path, *arguments: str) -> list[JobRecord]:
    """Run one short block, and return its records; noise may bar a time, but nothing may be wrong."""
    (folder / "quick.toml").write_text(QUICK.replace("calls = 1000", "calls = 4"))
    command = [*PROGRAM, "sweep", "quick.toml", *arguments, "--env", "current", "--no-report", "--wait"]
    subprocess.run(command, cwd=folder, check=False, capture_output=True)
    return list(read_recent(folder / "runs", 10))


def test_models_that_are_exported_generate_what_the_reference_does(tmp_path: Path) -> None:
    runtimes = [name for name in ("onnxruntime", "openvino") if find_spec(name) is not None]
    if not runtimes:
        pytest.skip("no runtime of exported models is installed")
    asked = ("--workloads", "gpt_steps:steps=5", "--tasks", "forward", "--frameworks", ",".join(runtimes))
    records = sweep(tmp_path, *asked)
    assert {record.spec.cell.framework for record in records} == {*runtimes}
    for record in records:
        assert record.report is not None, record.reason
        assert record.report.verification.reason == ""
        assert record.report.generation is not None
        assert {len(calls) for calls in record.report.generation.calls_ns} == {5}
        # Verified on a prompt of another length as well, in every call.
        assert len({check.inputs for check in record.report.verification.checks}) > 2


def write_net(folder: Path, *edits: tuple[str, str]) -> None:
    (text,) = re.findall(r"```python\n# net\.py\n(.*?)```", read_page("docs/how-to/generation.md"), re.DOTALL)
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    (folder / "net.py").write_text(text)


def test_a_model_as_it_is_generates_with_its_own_state(tmp_path: Path) -> None:
    write_net(tmp_path)
    asked = ("--model", "net.py", "--frameworks", "torch:eager,torch:trace", "--dim", "steps=6")
    records = sweep(tmp_path, *asked)
    assert {record.spec.cell.mode for record in records} == {"eager", "trace"}
    for record in records:
        assert record.report is not None, record.reason
        assert record.report.verification.reason == ""
        assert record.report.generation is not None
        assert {len(calls) for calls in record.report.generation.calls_ns} == {6}


def test_a_trace_that_has_baked_in_the_length_of_the_prompt_is_not_right(tmp_path: Path) -> None:
    write_net(tmp_path, ("made[:, -1]", "made[:, len(made[0]) - 1]"))
    records = sweep(tmp_path, "--model", "net.py", "--frameworks", "torch:eager,torch:trace")
    of_trace = [record for record in records if record.spec.cell.mode == "trace"]
    assert of_trace
    assert {record.outcome for record in of_trace} <= {"raised", "wrong", "unsupported"}
