"""Models as their users have them, described without running them."""

from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.registry.models import (
    lacks_optimizer,
    list_missing_packages,
    load_model,
    load_models,
    read_requirements,
)
from schemas.models import ModelRequest
from schemas.workloads import Workload


def load(folder: Path, source: str = "net.py", **said: object) -> Workload:
    return load_model(ModelRequest.model_validate({"source": source, "folder": str(folder), **said}))


def write(folder: Path, text: str, name: str = "net.py") -> Path:
    file = folder / name
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "framework"),
    [
        ("import torch", "torch"),
        ("from torch import nn", "torch"),
        ("from transformers import BertModel", "torch"),
        ("import keras", "tensorflow"),
        ("import tensorflow as tf", "tensorflow"),
        ("import jax.numpy as jnp", "jax"),
        ("from flax import linen", "jax"),
        ("import equinox", "jax"),
        ("import helper", "torch"),
        ('framework = "jax"\nimport torch', "jax"),
    ],
)
def test_what_a_file_imports_decides_its_framework(tmp_path: Path, text: str, framework: str) -> None:
    write(tmp_path, "import torch", "helper.py")
    write(tmp_path, f"{text}\nraise SystemExit('run')\n")
    assert load(tmp_path).reference == framework


def test_a_file_of_no_framework_is_refused_with_what_to_write(tmp_path: Path) -> None:
    write(tmp_path, "import os\n")
    with pytest.raises(
        UsageError, match=r'net\.py imports none of torch.* a line such as framework = "torch" in the file'
    ):
        load(tmp_path)


LOOPED = "import torch\nloop = 'steps'\ndef inputs(batch=1, steps=16):\n    return torch.ones(batch)\n"


def test_a_file_may_name_the_size_that_says_how_often_its_model_is_called(tmp_path: Path) -> None:
    write(tmp_path, LOOPED)
    assert load(tmp_path).loop == "steps"
    write(tmp_path, LOOPED.replace("loop = 'steps'\n", ""))
    assert load(tmp_path).loop == ""


@pytest.mark.parametrize(
    ("before", "after", "remedy"),
    [
        ("loop = 'steps'", "loop = 'calls'", r"loop = 'calls' is no size of its inputs; name one of steps"),
        ("loop = 'steps'", "loop = 16", r"loop = 16 is no size of its inputs; name one of steps"),
        ("loop = 'steps'", "loop = 'batch'", r"loop = 'batch' is no size of its inputs; name one of steps"),
        (", steps=16", "", r"loop = 'steps' is no size of its inputs; give its inputs function such a size"),
    ],
)
def test_a_loop_that_no_size_counts_is_refused(tmp_path: Path, before: str, after: str, remedy: str) -> None:
    write(tmp_path, LOOPED.replace(before, after))
    with pytest.raises(UsageError, match=rf"net\.py: {remedy}"):
        load(tmp_path)


def test_a_test_may_have_a_variable_of_that_name(tmp_path: Path) -> None:
    write(tmp_path, "import torch\nloop = 'asyncio'\n", "test_it.py")
    case = {"node": "test_one", "folder": str(tmp_path)}
    assert load(tmp_path, "test_it.py:one", test=case).loop == ""


def test_a_framework_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 'framework = "caffe"\n')
    with pytest.raises(UsageError, match=r"framework = 'caffe' is none; choose one of torch, tensorflow, jax"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("missing.py", "there is no file .*missing.py; name a Python file, or an import path such as mypkg.nets:build"),
        ("folder/", "there is no file"),
        ("net", "is an import path without an object; did you mean net.py"),
        ("other.nets", "is an import path without an object; name one, as in other.nets:build"),
        ("no-name:build", "is neither a Python file nor an import path"),
        ("not_there.nets:build", "there is no module not_there.nets in .* run the command where it can be imported"),
    ],
)
def test_a_model_that_does_not_exist_is_refused_with_what_to_write(tmp_path: Path, source: str, said: str) -> None:
    write(tmp_path, "import torch\n")
    with pytest.raises(UsageError, match=said):
        load(tmp_path, source)


def test_an_import_path_is_seen_from_its_folder(tmp_path: Path) -> None:
    tmp_path.joinpath("pkg").mkdir()
    write(tmp_path, "from torch import nn\n", "pkg/nets.py")
    model = load(tmp_path, "pkg.nets:build")
    assert (model.name, model.reference) == ("nets_build", "torch")
    assert model.model is not None
    assert (model.model.module, model.model.attribute, model.model.folder) == ("pkg.nets", "build", str(tmp_path))


def test_numbers_of_the_inputs_function_are_sizes_to_vary(tmp_path: Path) -> None:
    write(tmp_path, "import torch\ndef inputs(batch=1, length=128, *, width=4, scale=0.5, causal=True):\n    ...\n")
    assert {each.name: each.default for each in load(tmp_path).parameters} == {"length": 128, "width": 4}


def test_named_sizes_of_described_inputs_are_sizes_to_vary(tmp_path: Path) -> None:
    write(tmp_path, "import torch\n")
    model = load(tmp_path, inputs=("int64[batch,length=16]<9", "float32[batch,length=16,3]"))
    assert {each.name: each.default for each in model.parameters} == {"length": 16}


def test_an_invalid_description_of_an_input_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "import torch\n")
    with pytest.raises(UsageError, match=r"^--input 'float32' describes no input"):
        load(tmp_path, inputs=("float32",))


@pytest.mark.parametrize(
    ("file", "name"),
    [("net.py", "net"), ("My Net-2.py", "my_net-2"), ("2fast.py", "model_2fast"), ("mlp.py", "mlp-model")],
)
def test_a_model_is_named_after_its_file_but_never_like_a_workload(tmp_path: Path, file: str, name: str) -> None:
    write(tmp_path, "import torch\n", file)
    assert load(tmp_path, file).name == name


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("old").mkdir()
    for place in ("net.py", "old/net.py"):
        write(tmp_path, "import torch\n", place)
    requests = [ModelRequest(source=place, folder=str(tmp_path)) for place in ("net.py", "old/net.py")]
    with pytest.raises(UsageError, match=r"two models are named net; rename one of the files"):
        load_models(requests)


def test_packages_that_neither_the_folder_nor_the_environment_has_are_missing(tmp_path: Path) -> None:
    write(tmp_path, "VALUE = 1\n", "helper.py")
    write(tmp_path, "import os, json, helper, numpy\nimport torch_of_another_world as t\nframework = 'torch'\n")
    source = load(tmp_path).model
    assert source is not None
    assert list_missing_packages(source) == ["torch_of_another_world"]


def test_requirements_are_read_from_the_file_without_running_it(tmp_path: Path) -> None:
    write(tmp_path, "import torch\nrequirements = ['timm==1.0.20', 'einops']\nraise SystemExit\n")
    source = load(tmp_path).model
    assert source is not None
    assert read_requirements(source) == ("timm==1.0.20", "einops")
    write(tmp_path, "import torch\nrequirements = 'timm'\n")
    with pytest.raises(UsageError, match=r"requirements must be a list of texts"):
        read_requirements(source)


def test_the_hash_of_a_model_follows_its_code(tmp_path: Path) -> None:
    write(tmp_path, "import torch\n")
    before = load(tmp_path).code
    write(tmp_path, "import torch\nWIDTH = 3\n")
    assert before
    assert load(tmp_path).code != before


def test_a_request_may_say_the_name_and_the_framework(tmp_path: Path) -> None:
    write(tmp_path, "import os\n")
    found = load(tmp_path, name="mine", framework="torch")
    assert (found.name, found.reference) == ("mine", "torch")
    with pytest.raises(UsageError, match=r"'My model' cannot name a model; use small letters"):
        load(tmp_path, name="My model", framework="torch")


def test_numpy_runs_what_imports_no_other_framework(tmp_path: Path) -> None:
    write(tmp_path, "import numpy as np\n")
    assert load(tmp_path).reference == "numpy"
    write(tmp_path, "import numpy as np\nimport jax\n")
    assert load(tmp_path).reference == "jax"


def test_the_code_of_a_model_includes_that_of_its_inputs(tmp_path: Path) -> None:
    write(tmp_path, "import torch\n")
    data = write(tmp_path, "def draw(): ...\n", "data.py")
    by_file, by_module = (load(tmp_path, inputs_function=f"{place}:draw") for place in ("data.py", "data"))
    assert by_file.model is not None
    assert by_file.model.inputs_function == f"{data}:draw"
    data.write_text("def draw(): return 1\n")
    assert load(tmp_path, inputs_function="data:draw").code != by_module.code


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("data", "'data' name no function; name it, as in mypkg.nets:inputs"),
        ("nowhere.py:draw", r"there is no file .*nowhere.py with the function draw"),
        ("nowhere.data:draw", "there is no module nowhere.data with the function draw"),
    ],
)
def test_an_inputs_function_that_is_not_there_is_refused(tmp_path: Path, function: str, said: str) -> None:
    write(tmp_path, "import torch\n")
    with pytest.raises(UsageError, match=said):
        load(tmp_path, inputs_function=function)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("", True),
        ("def loss(optimizer):\n    optimizer = 5\n", True),
        ("import optimizer.rates\n", True),
        ("def optimizer(parameters):\n    ...\n", False),
        ("optimizer = torch.optim.AdamW\n", False),
        ("rate, optimizer = 0.1, torch.optim.SGD\n", False),
        ("from helper import make as optimizer\n", False),
        ("import optimizer\n", False),
    ],
)
def test_an_optimiser_is_found_by_its_name_at_the_top_of_a_file(tmp_path: Path, text: str, lacks: bool) -> None:
    write(tmp_path, f"import torch\n{text}")
    assert lacks_optimizer(load(tmp_path)) is lacks
