"""The defaults of a sweep of models, and the options that describe one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import UsageError
from orchestrator.planning.models import apply_models, name_sizes, read_requirements_file, resolve_model_folders
from orchestrator.planning.plan import build_plan
from orchestrator.planning.sweep_file import load_sweep_file, validate_sweep
from orchestrator.registry.models import load_model
from schemas.models import ModelRequest

Inside = Callable[..., Any]
NET = "import torch\n\n\ndef inputs(batch=1, length=16):\n    ...\n"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the packages that this interpreter has, for a test to change."""
    found = {"torch", "jax", "tensorflow"}
    for module in ("registry", "planning"):
        monkeypatch.setattr(f"orchestrator.{module}.models.is_installed", found.__contains__)
    return found


def request(folder: Path, *sources: str, **said: object) -> dict[str, Any]:
    return resolve_model_folders({"models": [{"source": source} for source in sources], **said}, folder)


def write(folder: Path, name: str, text: str = NET) -> None:
    folder.joinpath(name).write_text(text)


def test_a_model_is_measured_forward_in_its_frameworks_modes_with_warm_caches(
    tmp_path: Path, installed: set[str]
) -> None:
    write(tmp_path, "net.py")
    axes = apply_models(request(tmp_path, "net.py"))["axes"]
    assert axes["workloads"] == ["net"]
    assert axes["frameworks"] == ["torch:eager", "torch:trace", "torch:script", "torch:compile"]
    assert (axes["tasks"], axes["cache"], axes["environment"]) == (("forward",), ("warm",), ("current",))


def test_installed_runtimes_of_exported_models_are_measured_for_a_forward_pass(
    tmp_path: Path, installed: set[str]
) -> None:
    write(tmp_path, "net.py")
    installed |= {"onnxruntime", "onnx", "onnxscript"}
    assert apply_models(request(tmp_path, "net.py"))["axes"]["frameworks"][-1] == "onnxruntime"
    backward = request(tmp_path, "net.py", axes={"tasks": ["backward"]})
    assert "onnxruntime" not in apply_models(backward)["axes"]["frameworks"]


def test_what_the_user_names_wins(tmp_path: Path, installed: set[str]) -> None:
    write(tmp_path, "net.py")
    own: dict[str, list[Any]] = {"frameworks": ["torch:aot"], "tasks": ["backward"], "batch": [32]}
    own |= {"cache": ["cold"], "environment": ["torch"]}
    assert apply_models(request(tmp_path, "net.py", axes=own))["axes"] == {"workloads": ["net"], **own}


OPTIMIZER = "\ndef optimizer(parameters):\n    ...\n"


def list_tasks(folder: Path, *sources: str, tasks: tuple[str, ...] = ("backward", "train")) -> list[str]:
    return list(validate_sweep(request(folder, *sources, axes={"tasks": list(tasks)})).axes.tasks)


@pytest.mark.parametrize(
    ("signature", "batch"),
    [("batch=8", 8), ("batch: int = 8, length=16", 8), ("*, batch=8", 8), ("length=16", 1), ("batch=None", 1)],
)
def test_the_batch_is_the_default_of_the_inputs_function(
    tmp_path: Path, installed: set[str], signature: str, batch: int
) -> None:
    write(tmp_path, "net.py", f"import torch\n\n\ndef inputs({signature}):\n    ...\n")
    write(tmp_path, "other.py", NET.replace("batch=1", "batch=2"))
    assert apply_models(request(tmp_path, "net.py", "other.py"))["axes"]["batch"] == [batch]


def test_a_function_of_another_file_says_the_sizes_of_its_inputs(tmp_path: Path, installed: set[str]) -> None:
    write(tmp_path, "net.py")
    write(tmp_path, "data.py", "def draw(batch=4, width=3):\n    ...\n")
    for place in (f"{tmp_path}/data.py:draw", "data:draw"):
        said = {"models": [{"source": "net.py", "inputs_function": place, "folder": str(tmp_path)}]}
        assert apply_models(said)["axes"]["batch"] == [4]
        (parameter,) = load_model(ModelRequest.model_validate(said["models"][0])).parameters
        assert (parameter.name, parameter.default) == ("width", 3)


def test_training_takes_the_optimiser_from_the_file_if_there_is_one(tmp_path: Path, installed: set[str]) -> None:
    write(tmp_path, "net.py", NET + OPTIMIZER)
    write(tmp_path, "bare.py")
    assert list_tasks(tmp_path, "net.py") == ["backward", "train-own"]
    assert list_tasks(tmp_path, "bare.py") == ["backward", "train-sgd", "train-adam"]
    assert list_tasks(tmp_path, "bare.py", "net.py") == ["backward", "train-own"]
    assert list_tasks(tmp_path, "net.py", tasks=("train-adamw",)) == ["train-adamw"]


def test_where_the_framework_is_not_installed_its_environment_is_created(tmp_path: Path, installed: set[str]) -> None:
    write(tmp_path, "net.py")
    installed.remove("torch")
    assert apply_models(request(tmp_path, "net.py"))["axes"]["environment"] == ("default",)


def test_requirements_make_an_environment_of_the_models_name(tmp_path: Path, installed: set[str]) -> None:
    write(tmp_path, "net.py", NET + "requirements = ['einops==0.8']\nimport einops\n")
    said = apply_models(request(tmp_path, "net.py"))
    assert said["environments"] == {"net": {"requirements": ["torch==2.13.0", "einops==0.8"]}}
    assert said["axes"]["environment"] == ("net",)


def test_missing_imports_are_named_with_what_to_do(tmp_path: Path, installed: set[str]) -> None:
    write(tmp_path, "net.py", NET + "import einops\nimport timm\n")
    with pytest.raises(
        UsageError, match=r"net.py imports einops, timm, which this environment lacks; install them here"
    ):
        apply_models(request(tmp_path, "net.py"))


def test_an_environment_that_the_user_names_is_not_asked_for_imports(tmp_path: Path, installed: set[str]) -> None:
    write(tmp_path, "net.py", NET + "import einops\n")
    said = apply_models(request(tmp_path, "net.py", axes={"environment": ["/opt/python"]}))
    assert said["axes"]["environment"] == ["/opt/python"]


def test_models_of_two_frameworks_stand_in_one_table(tmp_path: Path, installed: set[str]) -> None:
    write(tmp_path, "one.py")
    write(tmp_path, "two.py", NET.replace("torch", "jax"))
    plan = build_plan(validate_sweep(request(tmp_path, "one.py", "two.py")), (0, 1))
    cells = [cell for cell in plan.cells if not cell.replica]
    assert {cell.workload for cell in cells} == {"one+two"}
    assert {(cell.variant, cell.framework) for cell in cells} == {("one", "torch"), ("two", "jax")}
    assert {plan.find_workload(cell).name for cell in cells} == {"one", "two"}
    assert "torch:eager one" in plan.labels.values()


def test_the_referee_of_a_variant_is_its_own_model(tmp_path: Path, installed: set[str]) -> None:
    for name in ("one.py", "two.py"):
        write(tmp_path, name)
    plan = build_plan(validate_sweep(request(tmp_path, "one.py", "two.py")), (0, 1))
    referees = [cell for cell in plan.cells_to_start if cell not in plan.cells]
    assert {(cell.variant, cell.mode, cell.environment) for cell in referees} == {
        ("one", "eager", "current"),
        ("two", "eager", "current"),
    }
    job = plan.build_job(plan.cells[0], 1, 0)
    assert job.model is not None
    assert (job.model.title, job.reference) == ("one.py", "torch")


def test_a_mode_of_another_framework_is_refused_with_the_reason(tmp_path: Path, installed: set[str]) -> None:
    write(tmp_path, "net.py")
    said = request(tmp_path, "net.py", axes={"frameworks": ["torch:eager", "numpy"]})
    plan = build_plan(validate_sweep(said), (0, 1))
    assert [*plan.refused.values()] == ["net.py is a model of torch, not of numpy"]


def test_paths_in_a_sweep_file_are_seen_from_its_folder(
    tmp_path: Path, installed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "net.py")
    write(tmp_path, "sweep.toml", '[[models]]\nsource = "net.py"\n')
    monkeypatch.chdir("/")
    (model,) = load_sweep_file(tmp_path / "sweep.toml")["models"]
    assert model["folder"] == str(tmp_path)


def test_sizes_of_inputs_are_varied_as_parameters(tmp_path: Path) -> None:
    write(tmp_path, "net.py")
    models_ = request(tmp_path, "net.py")["models"]
    assert name_sizes(models_, ["length=64,128", "width=3"]) == ["net:length=64/128:width=3"]
    with pytest.raises(UsageError, match=r"--dim 'length' must be a size and its values, as in --dim length=64,128"):
        name_sizes(models_, ["length"])


def write_graph(folder: Path) -> None:
    folder.joinpath("graph.onnx").write_bytes(b"\x08 and so on")


def test_a_model_file_is_measured_in_the_runtimes_that_open_it(tmp_path: Path, installed: set[str]) -> None:
    write_graph(tmp_path)
    installed |= {"onnxruntime", "onnx", "openvino"}
    axes = apply_models(request(tmp_path, "graph.onnx"))["axes"]
    assert (axes["frameworks"], axes["environment"]) == (["onnxruntime:session", "openvino:compiled"], ("current",))
    installed -= {"openvino"}
    assert apply_models(request(tmp_path, "graph.onnx"))["axes"]["frameworks"] == ["onnxruntime:session"]


def test_an_environment_with_all_that_a_model_file_needs_is_created_where_something_is_missing(
    tmp_path: Path, installed: set[str]
) -> None:
    write_graph(tmp_path)
    installed |= {"onnxruntime"}
    made = apply_models(request(tmp_path, "graph.onnx"))
    names = [text.partition("==")[0] for text in made["environments"]["graph"]["requirements"]]
    assert (made["axes"]["environment"], names) == (("graph",), ["onnxruntime", "openvino", "onnx"])


def test_no_exporter_is_needed_for_a_file_that_its_runtime_opens(tmp_path: Path, installed: set[str]) -> None:
    write_graph(tmp_path)
    installed |= {"onnxruntime", "onnx"}
    plan = build_plan(validate_sweep(request(tmp_path, "graph.onnx")), (0,))
    assert [cell.environment for cell in plan.cells_to_start] == ["current"] * 3
    assert not any(map(plan.environments.is_exported, plan.cells))
    referee = plan.find_reference_cell(plan.cells[0], "onnxruntime")
    assert (referee.framework, referee.mode) == ("onnxruntime", "session")


def test_code_and_a_file_stand_side_by_side_each_in_its_modes(tmp_path: Path, installed: set[str]) -> None:
    write(tmp_path, "net.py")
    write_graph(tmp_path)
    installed |= {"onnxruntime", "onnx"}
    installed -= {"onnxscript"}
    made = apply_models(request(tmp_path, "net.py", "graph.onnx"))
    assert {(each["framework"], each["workload"]) for each in made["exclude"]} == {
        ("onnxruntime:session", "net"),
        *((f"torch:{mode}", "graph") for mode in ("eager", "trace", "script", "compile")),
    }


def test_the_batch_is_a_size_like_others(inside: Inside, tmp_path: Path) -> None:
    write_graph(tmp_path)
    said = inside("plan", "--model", "graph.onnx", "--dim", "batch=2,3", "--dim", "length=4", "--json")
    cells = json.loads(said.out)["cells"]
    assert {(cell["cell"]["batch"], cell["cell"]["parameters"]["length"]) for cell in cells} == {(2, 4), (3, 4)}


def test_a_sibling_stands_beside_the_model_that_it_is_a_form_of(inside: Inside, tmp_path: Path) -> None:
    write_graph(tmp_path)
    tmp_path.joinpath("small.onnx").write_bytes(b"\x08 and so on")
    said = inside("plan", "--same-as", "graph.onnx", "--model", "small.onnx", "--json")
    models_ = {each["name"]: each["model"]["is_sibling"] for each in json.loads(said.out)["workloads"] if each["model"]}
    assert models_ == {"graph": False, "small": True}
    alone = inside("plan", "--same-as", "graph.onnx")
    assert alone.err == "error: --same-as graph.onnx names the first of two models; name the other one with --model\n"


def test_a_requirements_file_is_read_without_its_comments(tmp_path: Path) -> None:
    write(tmp_path, "requirements.txt", "# all of them\ntimm==1.0.20 # new\n\neinops\n")
    assert read_requirements_file(tmp_path / "requirements.txt") == ["timm==1.0.20", "einops"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "missing.py"), "error: there is no file "),
        (
            ("--input", "float32[3]"),
            "error: --input, --dim, --data and --requirements describe a model; name it with --model",
        ),
        (("--model", "net.py", "--input", "float32"), "error: --input 'float32' describes no input; write it as in"),
        (("--model", "net.py", "--dim", "depth=3"), "error: unknown parameter of net 'depth'"),
        (("--model", "broken.py"), "error: "),
        (("--model", "net.py", "--requirements", "missing.txt"), "error: "),
    ],
)
def test_a_wrong_model_is_one_sentence_and_creates_nothing(
    inside: Inside, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    write(tmp_path, "net.py")
    write(tmp_path, "broken.py", "import torch\ndef broken(:\n")
    done = inside("sweep", *options, "--env", "current")
    assert (done.code, done.out, len(done.err.splitlines())) == (ExitCode.USAGE, "", 1), done.err
    assert done.err.startswith(said)
    assert not tmp_path.joinpath("runs").exists()
