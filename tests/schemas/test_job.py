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
    "variant": "new",
    "tuning": "jemalloc",
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


def test_a_cell_without_code_variant_or_tuning_is_named_as_it_was_before_there_were_any() -> None:
    said = {name: value for name, value in CELL.model_dump().items() if name not in ("code", "variant", "tuning")}
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
    "change", [{"batch": 0}, {"threads": 0}, {"dtype": "float8"}, {"task": "train"}, {"device": "tpu"}]
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


SPEC = JobSpec(cell=CELL, block=1, position=0, seed=7, cpus=(), variables={})


@pytest.mark.parametrize(
    "change",
    [
        {"block": -1},
        {"position": -1},
        {"attempt": 0},
        {"seed": -1},
        {"cpus": (-1,)},
        {"hash_seed": 1 << 32},
        {"padding_bytes": (1 << 16) + 1},
        {"deadline_s": 0},
        {"timing": {"samples": 0}},
        {"timing": {"samples": 100_001}},
        {"timing": {"sample_ns": 0}},
        {"timing": {"calls": 0}},
        {"timing": {"warmup_min_ns": 3_600_000_000_001}},
        {"variables": {"X": 1}},
        {"limits": {"files": 1}},
        {"command": "rm"},
    ],
)
def test_a_request_that_no_worker_could_meet_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        JobSpec.model_validate(SPEC.model_dump() | change)


def test_a_request_without_more_words_is_one_to_measure() -> None:
    assert (SPEC.purpose, SPEC.artefact, SPEC.expected) == (Measure(), None, None)
    assert (SPEC.attempt, SPEC.module, SPEC.source_dir, SPEC.package) == (1, "", "", "")


@pytest.mark.parametrize(("replica", "mark"), [(0, ""), (1, " (A/A)"), (2, " (A/A2)"), (11, " (A/A11)")])
def test_each_clone_has_a_mark_of_its_own(replica: int, mark: str) -> None:
    assert CELL.model_copy(update={"replica": replica}).label == f"torch:script{mark}"


@given(
    st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), st.integers(0, 1 << 40), max_size=4),
    st.integers(1, 10**9),
    st.sampled_from(["forward", "backward", "train-sgd", "train-adam", "train-adamw", "train-own"]),
)
def test_any_cell_has_a_name_that_a_file_system_takes(parameters: dict[str, int], batch: int, task: str) -> None:
    cell = Cell.model_validate(CELL.model_dump() | {"parameters": parameters, "batch": batch, "task": task})
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,200}", cell.id)
    assert Cell.model_validate_json(cell.model_dump_json()).id == cell.id


def test_two_cells_that_differ_in_a_parameter_alone_have_names_that_differ_in_the_hash_alone() -> None:
    other = CELL.model_copy(update={"parameters": {"hidden": 21, "length": 16}})
    assert other.id[:-8] == CELL.id[:-8]
    assert other.content_hash != CELL.content_hash


def test_a_cell_works_out_its_hash_once_and_a_copy_has_its_own() -> None:
    cell = CELL.model_copy()
    before = cell.id
    assert "content_hash" in vars(cell)
    changed = (cell.model_copy(update={"batch": 7}), cell.model_copy(update={"threads": 2}, deep=True))
    copies = (cell.model_copy(), *changed)
    assert copies[0].id == before
    assert len({each.id for each in copies}) == 3
    assert [each.id for each in copies] == [Cell.model_validate(each.model_dump()).id for each in copies]
    assert cell == Cell.model_validate_json(cell.model_dump_json())
