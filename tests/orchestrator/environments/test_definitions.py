import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.environments.definitions import EnvironmentDefinition, EnvironmentDefinitions
from orchestrator.errors import UsageError
from orchestrator.machine.kernel_files import KernelFiles
from schemas.catalog import CUDA_REQUIREMENTS, FRAMEWORKS
from schemas.environment import EnvironmentSpec

WORKER = ("numpy", "pydantic>=2.10", "autograd>=1.9")


def definitions(folder: Path, own: Mapping[str, EnvironmentSpec] | None = None) -> EnvironmentDefinitions:
    """Return the definitions of a user whose file and machine are in this folder."""
    return EnvironmentDefinitions(dict(own or {}), folder / "environments.toml", KernelFiles(folder))


def users(folder: Path, text: str) -> EnvironmentDefinitions:
    (folder / "environments.toml").write_text(text)
    return definitions(folder)


def found(folder: Path, name: str, own: Mapping[str, EnvironmentSpec] | None = None) -> EnvironmentDefinition:
    return definitions(folder, own).find(name)


def test_each_framework_has_a_built_in_environment_with_exactly_what_it_requires(tmp_path: Path) -> None:
    for framework in FRAMEWORKS:
        if framework.environment != "current":
            assert found(tmp_path, framework.environment).all_requirements == (
                framework.requirement,
                *framework.beside,
                *dict.fromkeys(text for mode in framework.modes for text in mode.needs.values()),
                *WORKER,
            )


def test_a_framework_on_several_backends_has_one_environment_with_each_of_them_once(tmp_path: Path) -> None:
    asked = found(tmp_path, "keras").all_requirements
    assert [each.partition("==")[0] for each in asked[:4]] == ["keras", "torch", "tensorflow-cpu", "jax"]
    assert len(asked) == len(set(asked))


def test_the_users_file_is_in_the_folder_for_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/config")
    assert str(EnvironmentDefinitions().path) == "/config/plumbline/environments.toml"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert EnvironmentDefinitions().path == Path.home() / ".config" / "plumbline" / "environments.toml"


def test_numpy_and_the_instrument_need_none() -> None:
    assert {each.name for each in FRAMEWORKS if each.environment == "current"} == {"numpy", "synthetic"}


def test_what_exports_has_an_environment_apart_from_what_loads(tmp_path: Path) -> None:
    asked = found(tmp_path, "torch-export").all_requirements
    assert [each.partition("==")[0] for each in asked[:3]] == ["torch", "onnx", "onnxscript"]
    assert not any(each.startswith("torch") for each in found(tmp_path, "onnxruntime").all_requirements)


def test_a_runtime_that_brings_what_exports_for_it_has_one_environment_for_both(tmp_path: Path) -> None:
    found_names = list(definitions(tmp_path).list_all())
    assert found_names.count("executorch") == 1
    assert found(tmp_path, "executorch").requirements == ("executorch==1.5.1", "torch==2.13.0")
    assert found(tmp_path, "executorch").serves == "executorch"
    assert "executorch==1.5.1" not in found(tmp_path, "torch-export").requirements


@pytest.mark.parametrize("sign", ["dev/nvidiactl", "proc/driver/nvidia/version"])
def test_a_machine_with_a_gpu_has_cuda_builds_where_these_are_other_packages(tmp_path: Path, sign: str) -> None:
    assert not definitions(tmp_path).has_gpu
    assert found(tmp_path, "tensorflow").requirements == ("tensorflow-cpu==2.21.0",)
    (tmp_path / sign).parent.mkdir(parents=True)
    (tmp_path / sign).touch()
    assert definitions(tmp_path).has_gpu
    assert found(tmp_path, "tensorflow").requirements == ("tensorflow[and-cuda]==2.21.0", *CUDA_REQUIREMENTS)
    assert found(tmp_path, "tensorflow@2.20").requirements == ("tensorflow[and-cuda]==2.20", *CUDA_REQUIREMENTS)
    assert found(tmp_path, "torch").requirements == ("torch==2.13.0", *CUDA_REQUIREMENTS)
    assert found(tmp_path, "openvino").requirements == ("openvino==2026.4.1", "nncf==3.4.0")  # it computes on no GPU


def test_a_version_replaces_that_of_the_first_requirement_and_nothing_else(tmp_path: Path) -> None:
    own = {
        "mine": EnvironmentSpec(requirements=("tiny[fast]>=1; python_version>'3'", "helper<2"), variables={"A": "b"})
    }
    older = found(tmp_path, "mine@0.5", own)
    assert older.requirements == ('tiny[fast]==0.5; python_version > "3"', "helper<2")
    assert (older.variables, older.stem) == ({"A": "b"}, "mine")


def test_the_sweep_file_goes_before_the_users_own_and_that_before_what_is_built_in(tmp_path: Path) -> None:
    text = "[environments.torch]\nrequirements = ['torch==1.0']\n[environments.jax]\nrequirements = ['jax==1.0']\n"
    user = users(tmp_path, text)
    own = {"torch": EnvironmentSpec(requirements=("torch==2.0",))}
    both = definitions(tmp_path, own)
    assert both.find("torch").requirements == ("torch==2.0",)
    assert both.find("jax").requirements == ("jax==1.0",)
    assert both.find("openvino").origin == "built in"
    assert user.find("torch").origin.endswith("environments.toml")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("tensorfow", "unknown environment 'tensorfow'; did you mean tensorflow or tensorflow-export?"),
        ("tensorfow@2.20", "unknown environment 'tensorfow@2.20'; did you mean tensorflow or tensorflow-export?"),
        ("zzz", "unknown environment 'zzz'; valid: bad, current, executorch, iree, iree-export, jax, keras, litert,"),
        ("tensorflow@latest", "'latest' is not a version; write it as in tensorflow@2.20"),
        ("tensorflow@", "unknown environment 'tensorflow@'; did you mean tensorflow or tensorflow-export?"),
        ("bad", "the environment bad: 'tensorflow=2' is an invalid requirement"),
        ("bad@1", "the environment bad: 'tensorflow=2' is an invalid requirement"),
        ("locked", "cannot read its lock /no/such/file"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(tmp_path: Path, name: str, sentence: str) -> None:
    own = {"bad": EnvironmentSpec(requirements=("tensorflow=2",)), "locked": EnvironmentSpec(lock="/no/such/file")}
    with pytest.raises(UsageError, match=re.escape(sentence)):
        found(tmp_path, name, own)


LOCK = """\
# a comment
autograd==1.9
numpy==2.9 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
pydantic==2.99  # another
tiny @ file:///somewhere/tiny-1.0-py3-none-any.whl
helper[all]==0.5; python_version > "3.9"
"""


def locked(folder: Path, text: str) -> EnvironmentDefinition:
    (folder / "a.lock").write_text(text)
    return found(folder, "mine", {"mine": EnvironmentSpec(lock=str(folder / "a.lock"))})


def test_a_lock_is_taken_as_it_is_with_its_hashes(tmp_path: Path) -> None:
    assert locked(tmp_path, LOCK).all_requirements == (
        "autograd==1.9",
        'helper[all]==0.5; python_version > "3.9"',
        "numpy==2.9 --hash=sha256:aa --hash=sha256:bb",
        "pydantic==2.99",
        "tiny @ file:///somewhere/tiny-1.0-py3-none-any.whl",
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("tiny>=1.0", "contains 'tiny>=1.0', which is not a package in one exact version"),
        ("tiny==1.*", "contains 'tiny==1.*'"),
        ("tiny", "contains 'tiny'"),
        ("--find-links /somewhere", "contains '--find-links /somewhere'"),
        ("-r another.txt", "contains '-r another.txt'"),
    ],
)
def test_a_lock_that_leaves_something_open_is_none(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        locked(tmp_path, LOCK + line)


def test_a_lock_without_what_a_worker_needs_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.lock lacks pydantic>=2\.10, which every worker needs"):
        locked(tmp_path, LOCK.replace("pydantic", "pedantic"))


def test_a_lock_has_one_version_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.lock").write_text(LOCK)
    with pytest.raises(UsageError, match="the environment mine has a lock, which fixes its versions"):
        found(tmp_path, "mine@2", {"mine": EnvironmentSpec(lock=str(tmp_path / "a.lock"))})
