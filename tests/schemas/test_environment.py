import pytest
from pydantic import ValidationError

from schemas.environment import EnvironmentFile, EnvironmentMarker, EnvironmentRecord, EnvironmentSpec

RECORD = EnvironmentRecord(interpreter="/x", python="3.11.7", packages={"a": "1"}, installed={"a": "aa"}, freeze="ff")


def test_a_marker_comes_back_from_json_as_it_was() -> None:
    ready = EnvironmentMarker(
        name="tiny",
        asked=("tiny==1.0",),
        resolved=("tiny==1.0 --hash=sha256:aa",),
        environment=RECORD,
        modules=("tiny",),
        base="/usr/bin/python3",
        installer="pip",
        made="now",
        took_s=1.5,
        size_bytes=3,
    )
    assert EnvironmentMarker.model_validate_json(ready.model_dump_json()) == ready


@pytest.mark.parametrize("said", [{}, {"python": "3.12"}, {"requirements": ["x"], "lock": "y"}])
def test_an_environment_has_either_requirements_or_a_lock(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="either requirements or a lock"):
        EnvironmentSpec.model_validate(said)


@pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONHASHSEED", "PLUMBLINE_PARENT"])
def test_what_the_harness_sets_no_environment_sets(name: str) -> None:
    with pytest.raises(ValidationError, match=f"cannot set {name}"):
        EnvironmentSpec(requirements=("x",), variables={name: "1"})


@pytest.mark.parametrize("name", ["current", "default", "", "a/b", "../up", "a@1", "-x", ".x", "x" * 41, "a b"])
def test_a_name_that_means_something_else_or_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        EnvironmentFile.model_validate({"environments": {name: {"requirements": ["x"]}}})


@pytest.mark.parametrize(
    ("packages", "has_cuda_build"),
    [
        ({"torch": "2.13.0+cpu", "numpy": "2.0"}, False),
        ({"torch": "2.13.0", "nvidia-cublas-cu12": "12.8"}, True),
        ({"torch": "2.13.0", "cuda-bindings": "12.8"}, True),
        ({"torch": "2.13.0+cpu", "nvidia-ml-py": "13.0"}, False),
    ],
)
def test_a_build_for_a_gpu_is_known_by_the_libraries_that_it_requires(
    packages: dict[str, str], *, has_cuda_build: bool
) -> None:
    record = RECORD.model_copy(update={"packages": packages})
    assert record.has_cuda_build is has_cuda_build
    assert EnvironmentRecord.model_validate_json(record.model_dump_json()) == record
