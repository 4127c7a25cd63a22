from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas import artefact, catalog, code, environment, limits, record, workloads  # noqa: F401 (they define models)
from schemas.base import MAX_INTEGER, OLDEST_VERSION, SCHEMA_VERSION, Model
from schemas.event import Hello, Phase
from schemas.job import Cell, JobSpec, Timing
from schemas.sweep import Stop

CELL = {"framework": "numpy", "mode": "eager", "workload": "mlp"}
HELLO = {"pid": 1, "python": "3.11", "interpreter": "/usr/bin/python"}


def test_a_value_cannot_be_changed() -> None:
    phase = Phase(name="build")
    with pytest.raises(ValidationError, match="frozen"):
        phase.name = "steady"


def test_a_field_that_is_not_declared_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Hello.model_validate(HELLO | {"hostname": "here"})


def test_another_schema_version_is_refused_and_both_versions_are_named() -> None:
    other = SCHEMA_VERSION + 41
    supported = f"only {OLDEST_VERSION} to {SCHEMA_VERSION}"
    with pytest.raises(ValidationError, match=f"version {other} is not supported, {supported}"):
        Hello.model_validate(HELLO | {"schema_version": other})


def test_a_document_of_an_older_version_whose_form_has_not_changed_is_read_as_one_of_this_version() -> None:
    assert Hello.model_validate(HELLO | {"schema_version": OLDEST_VERSION}) == Hello.model_validate(HELLO)
    with pytest.raises(ValidationError):
        Hello.model_validate(HELLO | {"schema_version": OLDEST_VERSION - 1})


def test_a_document_says_its_version() -> None:
    assert f'"schema_version":{SCHEMA_VERSION}' in Hello.model_validate(HELLO).model_dump_json()


def list_models(base: type[Model] = Model) -> set[type[Model]]:
    """Return every model of the schemas."""
    found = {kind for kind in base.__subclasses__() if "schemas" in kind.__module__.split(".")}
    return found.union(*map(list_models, found))


MODELS = sorted(list_models(), key=lambda kind: kind.__name__)
every_model = pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)


def test_the_models_of_all_modules_are_known_here() -> None:
    assert {"Report", "JobSpec", "Manifest", "SweepSpec", "Workload", "EnvironmentMarker"} <= {
        kind.__name__ for kind in MODELS
    }


@every_model
def test_no_field_has_two_bounds_in_one_direction_of_which_only_the_last_would_hold(kind: type[Model]) -> None:
    for name, field in kind.model_fields.items():
        bounds = [type(bound).__name__ for bound in field.metadata if type(bound).__name__ in ("Ge", "Gt", "Le", "Lt")]
        assert len({*bounds}) == len(bounds), f"{kind.__name__}.{name}: {field.metadata}"


@every_model
def test_every_model_is_a_value_that_knows_all_its_fields(kind: type[Model]) -> None:
    assert kind.model_config["frozen"]
    assert kind.model_config["extra"] == "forbid"
    assert not kind.model_config["allow_inf_nan"]


@every_model
def test_every_default_is_a_value_that_its_own_field_accepts(kind: type[Model]) -> None:
    defaults = {
        name: field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
        if not field.is_required() and not field.default_factory_takes_validated_data
    }
    for name, value in defaults.items():
        field = kind.model_fields[name]
        checked: Any = Annotated[field.annotation, name, *field.metadata]
        TypeAdapter(checked).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "field", "least", "most"),
    [
        (Timing, "samples", 1, 100_000),
        (Timing, "sample_ns", 1, 3_600_000_000_000),
        (Stop, "blocks", 1, 10_000),
        (JobSpec, "hash_seed", 0, 2**32 - 1),
        (JobSpec, "padding_bytes", 0, 1 << 16),
        (Cell, "batch", 1, 10**9),
        (Cell, "threads", 1, 4096),
        (Cell, "replica", 0, MAX_INTEGER),
    ],
)
def test_a_bound_is_the_last_number_that_is_accepted(kind: type[Model], field: str, least: int, most: int) -> None:
    job: dict[str, object] = {"cell": CELL, "block": 1, "position": 0, "seed": 1, "cpus": (), "variables": {}}
    wholes: dict[type[Model], dict[str, object]] = {Cell: dict(CELL), JobSpec: job}
    whole = wholes.get(kind, {})
    for number in (least, most):
        assert getattr(kind.model_validate(whole | {field: number}), field) == number
    for number in (least - 1, most + 1):
        with pytest.raises(ValidationError, match=field):
            kind.model_validate(whole | {field: number})
