import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.job import Cell, ComputeReference, Export, JobSpec, Measure, Profile, Purpose, Timing

CELL = Cell(framework="torch", mode="script", workload="rnn", parameters={"hidden": 20, "length": 16})
CHANGES: dict[str, object] = {
    "framework": "numpy",
    "mode": "trace",
    "workload": "mlp",
    "parameters": {"hidden": 20, "length": 17},
    "task": "forward",
    "batch": 2,
    "dtype": "float64",
    "threads": 2,
    "environment": "other",
    "track": "defaults",
    "cache": "warm",
    "shapes": "stream",
    "device": "cuda",
    "origin": "file",
    "replica": 1,
    "code": "0123456789abcdef",
}


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_parameters_does_not_change_a_cells_id(names: list[str]) -> None:
    values = {"a": 1, "b": 2, "c": 3, "d": 4}
    ordered, shuffled = (
        CELL.model_copy(update={"parameters": each}) for each in (values, {n: values[n] for n in names})
    )
    assert shuffled.id == ordered.id


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_is_part_of_a_cells_id(field: str) -> None:
    assert CELL.model_copy(update={field: CHANGES[field]}).id != CELL.id


def test_what_has_no_code_of_its_own_is_named_as_it_was_before_there_was_any() -> None:
    said = {name: value for name, value in CELL.model_dump().items() if name != "code"}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    assert CELL.content_hash == digest[:8]


def test_no_field_of_a_cell_has_been_forgotten_here() -> None:
    assert CHANGES.keys() == Cell.model_fields.keys()


def test_a_cell_keeps_its_id_through_json() -> None:
    assert Cell.model_validate_json(CELL.model_dump_json()).id == CELL.id


def test_a_cells_id_is_fit_for_a_file_and_begins_with_what_a_person_looks_for() -> None:
    assert re.fullmatch(r"torch-script-rnn-backward-b1-[0-9a-f]{8}", CELL.id)


def test_a_label_tells_the_clone_from_its_original() -> None:
    assert CELL.label == "torch:script"
    assert CELL.model_copy(update={"replica": 1}).label == "torch:script (A/A)"


@pytest.mark.parametrize(
    "change", [{"batch": 0}, {"threads": 0}, {"dtype": "float16"}, {"task": "train"}, {"device": "tpu"}]
)
def test_a_cell_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Cell.model_validate(CELL.model_dump() | change)


def test_a_spec_comes_back_from_json_as_it_was() -> None:
    spec = JobSpec(
        cell=CELL,
        block=3,
        position=2,
        seed=7,
        cpus=(0, 5),
        variables={"OMP_NUM_THREADS": "2"},
        timing=Timing(calls=12),
        deadline_s=1.5,
    )
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("purpose", [Measure(), Export(path="/x"), Profile(path="/x"), ComputeReference(path="/x")])
def test_a_job_has_exactly_one_purpose_which_comes_back_from_json_as_it_was(purpose: Purpose) -> None:
    spec = JobSpec(cell=CELL, purpose=purpose, block=1, position=0, seed=1, cpus=(), variables={})
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    "purpose",
    [{}, {"kind": "clean"}, {"kind": "export"}, {"kind": "measure", "path": "/x"}, {"kind": "profile", "path": None}],
)
def test_a_purpose_that_makes_no_sense_is_refused(purpose: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        JobSpec.model_validate(
            {"cell": CELL, "purpose": purpose, "block": 1, "position": 0, "seed": 1, "cpus": (), "variables": {}}
        )


def test_a_job_that_is_told_no_longest_warm_up_has_three_seconds() -> None:
    assert Timing().longest_warm_up_ns == 3_000_000_000
    assert Timing(warmup_max_ns=0).longest_warm_up_ns == 0


def test_a_job_of_an_earlier_version_names_the_folder_of_its_workload_otherwise() -> None:
    said = {"cell": CELL, "block": 1, "position": 0, "seed": 1, "cpus": [], "variables": {}}
    old = JobSpec.model_validate(said | {"folder": "/mine"})
    assert old == JobSpec.model_validate(said | {"source_dir": "/mine"})
    assert JobSpec.model_validate_json(old.model_dump_json()) == old
