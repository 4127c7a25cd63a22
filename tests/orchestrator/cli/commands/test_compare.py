"""The command `compare`, and the shipped workflow for pull requests, whose own commands are run."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from site import getsitepackages
from textwrap import dedent

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.records.store import Store
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.analysis.costs.test_memory import needing
from tests.orchestrator.cli.commands.conftest import Swept
from tests.orchestrator.cli.commands.test_export import Inside
from tests.orchestrator.conftest import HOST, Said
from tests.orchestrator.environments.wheels import make_offline_variables, make_wheel, make_working_wheel_folder

ROOT = Path(__file__).resolve().parents[4]


WORKFLOW = ROOT / "docs" / "how-to" / "github-actions.yml"


ENTRY_POINTS = "[console_scripts]\nplumbline = orchestrator.cli:main\n"


LIBRARY = "def multiply(a, b):\n    return [a @ b for _ in range({})][0]\n"


REFERENCE = """\
import autograd.numpy as np
from library import multiply
from workers.autodiff import gradients_of


def weights(parameters, rng):
    return {"W": rng.standard_normal((parameters["width"], parameters["width"]))}


def shapes(parameters, batch):
    return (((batch, parameters["width"]),),)


def inputs(parameters, rng, shapes):
    return tuple(rng.standard_normal(shape) for shape in shapes)


def forward(parameters, weights, x):
    return multiply(x, weights["W"])


def loss(parameters, weights, x):
    return np.mean(forward(parameters, weights, x) ** 2)


backward = gradients_of(loss)
"""


def read_steps() -> dict[str, str]:
    """Return the commands of the workflow's steps by their names."""
    steps = re.split(r"(?m)^      - ", WORKFLOW.read_text())[1:]
    named = {found[1]: step for step in steps if (found := re.match(r"name: (.*)\n", step))}
    commands = {
        name: re.search(r"(?ms)^        run: (?:\|\n)?(.*?)(?=^        \w|\Z)", step) for name, step in named.items()
    }
    return {name: dedent(found[1]) for name, found in commands.items() if found}


def with_memory(record: JobRecord) -> JobRecord:
    """Return a record whose report has memory as well."""
    assert record.report is not None
    report = Report.model_validate(record.report.model_dump() | needing(220))
    return record.model_copy(update={"result": report})


@pytest.fixture
def compared(
    tmp_path: Path,
    inside: Callable[..., Said],
    make_cell: Callable[..., Cell],
    make_records: Callable[..., list[JobRecord]],
    make_run: Callable[..., Store],
) -> Callable[[float], Said]:
    """Run the workflow's comparison of two environments, of which the second takes so many times as long."""

    def compare(times: float) -> Said:
        base, head = (
            make_cell(environment=str(tmp_path / f"venv-{side}" / "bin" / "python")) for side in ("base", "head")
        )
        make_run("sweep", [with_memory(each) for each in make_records([(base, 1000), (head, 1000 * times)])])
        (command,) = re.findall(r"bin/plumbline (compare .*?) > comment\.md", read_steps()["Compare"], re.DOTALL)
        return inside(*shlex.split(command.replace("\\\n", " ")))

    return compare


def test_a_slower_head_fails_the_workflows_comparison(compared: Callable[[float], Said]) -> None:
    said = compared(1.1)
    assert said.code == ExitCode.GATE
    assert said.out.startswith("### Plumbline: B exceeds slower=3%")
    assert "Measured side by side" in said.out


def test_an_equal_head_passes_the_workflows_comparison(compared: Callable[[float], Said]) -> None:
    said = compared(1.0)
    assert said.code == ExitCode.FINE
    assert said.out.startswith("### Plumbline: B within its gates")


class PullRequest:
    """A checkout of a pull request and its base as on a runner, whose library may need more products in the head."""

    def __init__(self, folder: Path, products: int) -> None:
        self.folder, shelf = folder, make_working_wheel_folder(folder / "shelf")
        own = {"ours.pth": "\n".join([str(ROOT), *getsitepackages()])}
        entry = {"plumbline_ml-1.0.dist-info/entry_points.txt": ENTRY_POINTS}
        make_wheel(shelf, "plumbline_ml", "1.0", ["numpy", "pydantic", "autograd"], own | entry)
        for side, version, count in (("base", "1.0", 1), ("head", "2.0", products)):
            make_wheel(shelf, "library", version, files={"library.py": LIBRARY.format(count)})
            (folder / side).mkdir()
            (folder / side / "requirements.txt").write_text(f"plumbline-ml\nlibrary=={version}\n")
        (folder / "head" / "mine").mkdir()
        (folder / "head" / "mine" / "reference.py").write_text(REFERENCE)
        (folder / "head" / "mine" / "workload.toml").write_text(
            'summary = "a product"\n[parameters.width]\ndefault = 256\n'
        )
        (folder / "bin").mkdir()
        (folder / "bin" / "python").symlink_to(sys.executable)
        offline = {name: text for name, text in make_offline_variables(shelf).items() if name != "PYTHONPATH"}
        self.variables = offline | {
            "PATH": f"{folder / 'bin'}{os.pathsep}{offline['PATH']}",
            "PLUMBLINE_HOME": str(folder / "home"),
            "FRAMEWORKS": "numpy",
            "WORKLOADS": "head/mine",
            "BUDGET": "60s",
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        }

    def run_step(self, name: str) -> int:
        """Run a step as a runner does, and return its exit code."""
        status = Path(self.variables["GITHUB_OUTPUT"])
        given = status.read_text().splitlines()[-1].removeprefix("status=") if status.exists() else ""
        script = read_steps()[name].replace("${{ steps.compare.outputs.status }}", given)
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode


@pytest.mark.long
@pytest.mark.measures
@pytest.mark.parametrize(
    ("products", "code"), [pytest.param(1, ExitCode.FINE, marks=pytest.mark.exhaustive), (8, ExitCode.GATE)]
)
def test_the_workflows_own_commands_tell_a_slower_head_from_an_equal_one(
    tmp_path: Path, products: int, code: ExitCode
) -> None:
    request = PullRequest(tmp_path, products)
    assert request.run_step("Install base and head") == 0
    for _ in range(2):  # on a disturbed machine, a difference may be open: try once more
        assert request.run_step("Measure base and head side by side") == 0
        assert request.run_step("Compare") == 0
        comment = (tmp_path / "comment.md").read_text()
        if "inconclusive" not in comment:
            break
    assert (tmp_path / "summary").read_text().endswith(comment)
    if "inconclusive" in comment:
        assert request.run_step("Gate") == ExitCode.FINE, comment  # the workflow warns and does not fail
        pytest.skip("other work on this machine disturbed both measurements, so the head was not judged")
    assert request.run_step("Gate") == code, comment


def test_a_gate_that_is_exceeded_for_certain_is_exit_code_3(inside: Inside, swept: Swept) -> None:
    swept("base")
    swept("head", {32: 1.2}, seed=2)
    said = inside("compare", "base", "head", "--fail-on", "slower=3%", "--fail-on", "memory=5%")
    assert said.code == ExitCode.GATE
    assert int(ExitCode.GATE) == 3
    assert "GATE slower=3%" in said.out
    assert inside("compare", "base", "head", "--fail-on", "slower=30%").code == ExitCode.FINE
    assert inside("compare", "head", "base", "--fail-on", "slower=3%").code == ExitCode.FINE
    assert inside("compare", "base", "head").code == ExitCode.FINE


def test_on_another_machine_a_gate_is_inconclusive_unless_it_is_taken_at_face_value(
    inside: Inside, swept: Swept
) -> None:
    swept("base")
    swept("head", {32: 1.2}, seed=2, host=HOST.model_copy(update={"cpu": "another CPU"}))
    said = inside("compare", "base", "head", "--fail-on", "slower=3%")
    assert said.code == ExitCode.INCONCLUSIVE
    assert int(ExitCode.INCONCLUSIVE) == 4
    assert "Gate slower=3% is inconclusive" in said.out
    assert "different machines" in said.out
    assert inside("compare", "base", "head").code == ExitCode.FINE
    assert inside("compare", "base", "head", "--fail-on", "slower=3%", "--at-face-value").code == ExitCode.GATE


def test_a_gate_that_is_exceeded_outweighs_one_that_is_inconclusive(inside: Inside, swept: Swept) -> None:
    swept("base")
    swept("head", {32: 1.2}, seed=2)
    gates = ("--fail-on", "slower=3%", "--fail-on", "device_peak=5%")
    assert inside("compare", "base", "head", *gates).code == ExitCode.GATE
    assert inside("compare", "head", "base", *gates).code == ExitCode.INCONCLUSIVE
    comment = inside("compare", "head", "base", "--markdown", *gates).out
    assert comment.startswith("### Plumbline: B compared; device_peak=5% inconclusive\n")


@pytest.mark.parametrize(("times", "code"), [(1.5, ExitCode.GATE), (1.0, ExitCode.FINE), (1.1, ExitCode.INCONCLUSIVE)])
def test_one_cell_in_two_separate_runs_is_judged(
    inside: Inside,
    make_cell: Callable[..., Cell],
    make_records: Callable[..., list[JobRecord]],
    make_run: Callable[..., Store],
    times: float,
    code: ExitCode,
) -> None:
    make_run("base", make_records([(make_cell(), 1000)]))
    make_run("head", make_records([(make_cell(), 1000 * times)], seed=2), 600)
    said = inside("compare", "base", "head", "--fail-on", "slower=10%")
    assert said.code == code
    assert "an assumed effect with a standard deviation of" in " ".join(said.out.split())


def test_a_comparison_is_one_document_or_one_comment(inside: Inside, swept: Swept) -> None:
    swept("base")
    swept("head", {32: 1.2}, seed=2)
    document = json.loads(inside("compare", "base", "head", "--json", "--fail-on", "slower=3%").out)
    assert [change["verdict"] for change in document["changes"]].count("SLOWER") == 1
    comment = inside("compare", "base", "head", "--markdown", "--fail-on", "slower=3%").out
    assert comment.startswith("### Plumbline: B exceeds slower=3%\n")
    assert "| SLOWER |" in comment
