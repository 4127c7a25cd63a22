"""A worker in which the code of a user imports modules of the user that are named like this project's."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from orchestrator.registry import workload_template
from tests.orchestrator.quick import PROGRAM
from tests.orchestrator.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
SWEEP = """\
[axes]
frameworks = [{modes}]
workloads = ["./mine:width=4:hidden=3"]
tasks = ["forward"]
environment = ["current"]

[timing]
samples = 5
calls = 200
sample_ns = 1000000
warmup_min_ns = 1000000

[stop]
blocks = 1
"""
# The modules of the user: one is imported by another, one is a folder without __init__.py, and one only in a call.
PROJECT = {
    "schemas.py": "OWNER = 'the user'\n",
    "workers/blocks.py": "def keep(x):\n    return x\n",
    "nets.py": "import schemas\nfrom workers.blocks import keep\nassert schemas.OWNER == 'the user'\n",
}
IMPORTS = """\
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from nets import keep
"""
LATE = "    def loss(self, x):\n        import schemas\n\n        assert schemas.OWNER == 'the user'\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project whose model uses its modules, and whose reference is that model and imports from this project."""
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    folder = workload_template.write_template("mine", tmp_path)
    said, model, reference = (folder / name for name in ("workload.toml", "torch.py", "reference.py"))
    said.write_text(said.read_text().replace("# reference", "reference"))
    assert "from workers.autodiff import gradients_of" in reference.read_text()
    text = model.read_text().replace("    def loss(self, x):\n", LATE)
    model.write_text(IMPORTS + text.replace("return torch.mm(hidden", "return torch.mm(keep(hidden)"))
    return tmp_path


def sweep(project: Path, *modes: str, task: str = "forward") -> "subprocess.CompletedProcess[str]":
    names = ", ".join(f'"{mode}"' for mode in modes)
    (project / "quick.toml").write_text(SWEEP.replace("{modes}", names).replace('"forward"', f'"{task}"'))
    return subprocess.run(
        [*PROGRAM, "sweep", "quick.toml", "--no-report"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def read_outcomes(project: Path, folder: str) -> dict[str, str]:
    records = [json.loads(path.read_text()) for path in project.glob(f"runs/*/{folder}/*.json")]
    return {f"{each['spec']['cell']['framework']}:{each['spec']['cell']['mode']}": each["outcome"] for each in records}


@pytest.mark.long
@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
def test_a_model_gets_its_modules_in_a_measurement_an_export_and_the_job_of_its_reference(project: Path) -> None:
    said = sweep(project, "torch:script", "onnxruntime:session")
    assert read_outcomes(project, "jobs") == {"torch:script": "measured", "onnxruntime:session": "measured"}, (
        said.stdout
    )
    assert read_outcomes(project, "artefacts") == {"torch:eager": "exported", "onnxruntime:session": "exported"}
    # The parts of a sweep that measure nothing are not silent.
    told = [line.rpartition(" took ")[0] or line for line in said.stdout.splitlines() if line.startswith("[preparing]")]
    results = "[preparing] torch:eager mine forward: computing the expected results"
    model = "[preparing] onnxruntime:session mine forward: exporting the model"
    assert told == [results, results, model, model]


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize(
    "mode", ["torch:eager", "torch:trace", pytest.param("torch:compile", marks=pytest.mark.exhaustive)]
)
@pytest.mark.long
def test_a_model_imports_its_modules_also_while_it_is_called(project: Path, mode: str) -> None:
    said = sweep(project, mode, task="backward")
    assert read_outcomes(project, "jobs") == {mode: "measured"}, said.stdout + said.stderr


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.long
def test_the_dashboard_names_the_job_of_a_reference_that_is_no_cell(project: Path) -> None:
    sweep_file = SWEEP.replace("{modes}", '"torch:trace"')
    (project / "quick.toml").write_text(sweep_file)
    command = [*PROGRAM, "sweep", "quick.toml", "--no-report"]
    with Terminal(command, project, variables={"PYTHONPATH": str(ROOT)}) as terminal:
        terminal.until(lambda screen: "torch:eager mine forward: " in screen)
        assert terminal.ended() == 0, "\n".join(terminal.screen)


def test_the_worker_does_not_put_this_project_on_the_path(tmp_path: Path) -> None:
    program = "import runpy, sys; before = sys.path[:]; runpy.run_path(sys.argv[1], run_name='__mp_main__')"
    check = "; assert sys.path == before; import _plumbline.schemas.job"
    command = [sys.executable, "-P", "-c", program + check, str(ROOT / "workers" / "start.py")]
    variables = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
