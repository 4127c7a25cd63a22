import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.planning.plan import Plan, build_plan, find_model_folder, rebuild_plan
from schemas.job import JobSpec
from schemas.models import ModelSource
from schemas.record import Extension
from schemas.sweep import SweepSpec
from tests.orchestrator.planning.conftest import AXES, VERSIONS, expand

MakePlan = Callable[..., Plan]


@pytest.mark.parametrize(
    ("axes", "said", "sentence"),
    [
        ({"frameworks": ["torhc"]}, {}, "unknown framework 'torhc'; did you mean torch or tract?"),
        ({"frameworks": ["torch:scirpt"]}, {}, "unknown mode of torch 'scirpt'; did you mean script"),
        ({"frameworks": ["numpy:zzz"]}, {}, "unknown mode of numpy 'zzz'; valid: eager"),
        ({"workloads": ["rn_cell"]}, {}, "unknown workload 'rn_cell'; did you mean rnn_cell"),
        ({"workloads": ["rnn:lenght=3"]}, {}, "unknown parameter of rnn 'lenght'; did you mean length"),
        ({"workloads": ["rnn:length"]}, {}, "length must be a whole number of at least 2, not ''"),
        ({"workloads": ["rnn:length=1"]}, {}, "length must be a whole number of at least 2, not '1'"),
        ({"workloads": ["rnn:length=-5"]}, {}, "not '-5'"),
        ({"workloads": ["rnn:length=8//32"]}, {}, "length must be a whole number of at least 2, not ''"),
        ({"workloads": ["matmul:cache/memry"]}, {}, "'memry'; did you mean memory"),
        ({"workloads": ["mlp" + ":depth=1/2" * 50]}, {}, "mlp: its parameters have more than 10000 combinations"),
        ({}, {"exclude": [{"workload": "mlp" + ":depth=1/2" * 50}]}, "more than 10000 combinations; name fewer values"),
        ({"workloads": ["rnn:length=²"]}, {}, "not '²'"),
        ({"environment": ["curent"]}, {}, "unknown environment 'curent'; did you mean current?"),
        ({}, {"exclude": [{}]}, "every combination of the axes is excluded"),
        ({}, {"exclude": [{"framework": "nunpy"}]}, "did you mean numpy?"),
        ({}, {"include": [{"framework": "numpy"}]}, "needs at least a framework and a workload"),
        ({}, {"baseline": "numpy:eagre"}, "unknown baseline 'numpy:eagre'; did you mean numpy:eager?"),
        ({}, {"baseline": "torch:eager"}, "unknown baseline 'torch:eager'"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(
    axes: dict[str, object], said: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        build_plan(SweepSpec.model_validate({"axes": AXES | axes} | said), (0, 1))


@pytest.mark.parametrize("axes", [{"tasks": ("forward", "backward")}, {"tasks": ("train-sgd",)}, {}])
def test_what_is_no_request_has_no_clients(axes: dict[str, object]) -> None:
    sweep = SweepSpec.model_validate({"axes": AXES | axes, "timing": {"concurrency": [1, 2]}})
    with pytest.raises(UsageError, match=r"--concurrency measures requests: .*; choose --tasks forward"):
        build_plan(sweep, (0, 1))


@pytest.mark.parametrize(
    ("clients", "threads", "cores"),
    [((), (1,), 0), ((1,), (1,), 1), ((4, 1), (1,), 4), ((2,), (1, 3), 6), ((9,), (1,), 8)],
)
def test_all_cells_share_the_cores_for_clients_as_many_as_these_have_threads(
    clients: tuple[int, ...], threads: tuple[int, ...], cores: int
) -> None:
    axes = {"frameworks": ["numpy"], "workloads": ["mlp"], "tasks": ["forward"], "threads": threads}
    sweep = SweepSpec.model_validate({"axes": axes, "timing": {"concurrency": clients}})
    planned = build_plan(sweep, tuple(range(8)))
    jobs = [planned.build_job(cell, 1, 1) for cell in planned.cells]
    assert {len(job.shared_cpus) for job in jobs} == {cores}
    assert all(set(job.cpus) <= set(job.shared_cpus) for job in jobs if cores)
    assert planned.cores_needed == max(cores, *threads)


def test_a_sweep_of_refused_cells_alone_is_a_mistake(make_plan: MakePlan) -> None:
    with pytest.raises(UsageError, match="nothing to run: numpy does not compute in bfloat16"):
        make_plan("numpy", axes={"dtype": ("bfloat16",)})


def test_more_threads_than_cores_are_warned_of(make_plan: MakePlan) -> None:
    assert make_plan("numpy", axes={"threads": (1, 2)}).warnings == ()
    (warning,) = make_plan("numpy", axes={"threads": (1, 3)}).warnings
    assert "3 threads on 2 cores" in warning


def test_the_first_cell_that_can_run_has_a_clone(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", "synthetic:spin", axes={"dtype": ("bfloat16", "float64")})
    (clone,) = (cell for cell in plan.cells if cell.replica)
    original = plan.runnable[0]
    assert clone == original.model_copy(update={"replica": 1})
    assert clone in plan.runnable
    assert clone.id != original.id


def test_the_order_is_random_but_the_seed_repeats_it(make_plan: MakePlan) -> None:
    axes = {"batch": tuple(range(1, 9))}
    plan, again, other = (make_plan("numpy", axes=axes, seed=seed) for seed in (5, 5, 6))
    cells = plan.runnable
    assert sorted(plan.order_cells(cells, 1), key=cells.index) == list(cells)
    assert plan.order_cells(cells, 1) == again.order_cells(cells, 1)
    assert plan.order_cells(cells, 1) != list(cells)
    assert plan.order_cells(cells, 1) != plan.order_cells(cells, 2)
    assert plan.order_cells(cells, 1) != other.order_cells(cells, 1)


def test_a_seed_that_is_not_given_is_drawn_anew(make_plan: MakePlan) -> None:
    assert make_plan(seed=None).seed != make_plan(seed=None).seed


def test_a_job_carries_what_its_worker_has_to_know(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", axes={"threads": (2,)}, deadline="2m", timing={"samples": 7})
    job = plan.build_job(plan.cells[0], block=3, position=1)
    assert (job.block, job.position, job.deadline_s) == (3, 1, 120)
    assert (job.timing.samples, job.timing.calls) == (7, None)
    assert job.variables["OMP_NUM_THREADS"] == "2"
    assert job.cpus == (0, 1)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"stop": {"budget": "4m"}}, 3),
        ({"stop": {"budget": "40m"}}, 25),
        ({"stop": {"budget": "40m", "blocks": 4}}, 30),
        ({"stop": {"budget": "1m", "blocks": 1}}, 5),
        ({"stop": {"budget": "40m"}, "deadline": "48s"}, 12),
        ({"stop": {"budget": "40m"}, "deadline": "1s"}, 3),
        ({"stop": {"budget": "8000h"}, "deadline": "10h"}, 900),
        ({"stop": {"budget": "40m"}, "timing": {"warmup_max_ns": 10**9}}, 1),
        ({"stop": {"budget": "40m"}, "timing": {"warmup_max_ns": 0}}, 0),
    ],
)
def test_a_job_may_warm_up_for_a_quarter_of_its_share_of_the_budget_unless_the_user_said_how_long(
    make_plan: MakePlan, said: dict[str, object], seconds: int
) -> None:
    plan = make_plan(**said)
    assert len(plan.runnable) == 3
    job = JobSpec.model_validate_json(plan.build_job(plan.cells[0], 1, 0).model_dump_json())
    assert job.timing.warmup_max_ns == seconds * 10**9


def test_an_extended_run_warms_up_as_it_was_begun(make_plan: MakePlan) -> None:
    plan = make_plan(stop={"budget": "40m"})
    stop = plan.spec.stop.model_copy(update={"budget": 9000.0, "blocks": 4})
    spec = plan.spec.model_copy(update={"stop": stop})
    extension = Extension(when="now", stop=plan.spec.stop, blocks=8, least_blocks=4)
    extended = rebuild_plan(spec, plan.seed, (0, 1), plan.environments, (extension,))
    assert extended.warmup_max_ns == plan.warmup_max_ns
    assert (extended.least_blocks, plan.least_blocks) == (4, 0)
    assert (extended.looks.ended_after, plan.looks.ended_after) == ((8,), ())


def test_a_cell_that_cannot_run_takes_no_share_of_the_budget(make_plan: MakePlan) -> None:
    stop = {"budget": "40m"}
    one, both = make_plan("numpy", stop=stop), make_plan("numpy", axes={"dtype": ("float32", "bfloat16")}, stop=stop)
    assert both.warmup_max_ns == one.warmup_max_ns


def test_a_worker_is_given_as_many_cores_as_it_has_threads_from_the_end_until_cores_are_chosen(
    make_plan: MakePlan,
) -> None:
    plan = dataclasses.replace(make_plan("numpy", axes={"threads": (1, 2, 8)}), available=(0, 1, 4, 5))
    given = {cell.threads: plan.build_job(cell, 1, 0).cpus for cell in plan.cells}
    assert given == {1: (5,), 2: (4, 5), 8: (0, 1, 4, 5)}
    chosen = dataclasses.replace(plan, cores=(4, 0, 5, 1))
    given = {cell.threads: chosen.build_job(cell, 1, 0).cpus for cell in plan.cells}
    assert given == {1: (4,), 2: (0, 4), 8: (0, 1, 4, 5)}


def test_a_plan_needs_as_many_cores_as_its_widest_job_and_all_where_frameworks_choose(make_plan: MakePlan) -> None:
    four = (0, 1, 4, 5)
    for axes, count in (({}, 1), ({"threads": (1, 2)}, 2), ({"threads": (8,)}, 4), ({"track": ("defaults",)}, 4)):
        assert dataclasses.replace(make_plan("numpy", axes=axes), available=four).cores_needed == count


def test_the_track_of_defaults_sets_nothing(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", axes={"track": ("defaults",)})
    job = plan.build_job(plan.cells[0], 1, 0)
    assert job.variables == {}
    assert job.cpus == (0, 1)


def test_caches_are_cold_or_warm_whatever_else_is_set(make_plan: MakePlan) -> None:
    axes = {"cache": ("cold", "warm"), "track": ("parity", "defaults"), "workloads": ("mlp",)}
    cells = expand(axes | {"frameworks": ["torch:compile"], "batch": [1]})
    plan = make_plan("numpy")
    disabled = {
        (cell.cache, cell.track): plan.build_job(cell, 1, 0).variables["TORCHINDUCTOR_FORCE_DISABLE_CACHES"]
        for cell in cells
    }
    assert disabled == {
        ("cold", "parity"): "1",
        ("cold", "defaults"): "1",
        ("warm", "parity"): "0",
        ("warm", "defaults"): "0",
    }


@pytest.mark.parametrize(
    ("mode", "origin", "disabled"),
    [
        ("torch:compile", "source", "1"),
        ("torch:compile", "file", "0"),
        ("torch:aot-compile", "source", "0"),
        ("torch:aot-compile", "file", "0"),
    ],
)
def test_a_cold_job_has_caches_in_its_own_folder_where_its_mode_or_its_file_needs_them(
    make_plan: MakePlan, mode: str, origin: str, disabled: str
) -> None:
    (cell,) = expand({"frameworks": [mode], "workloads": ["mlp"], "batch": [1], "origin": [origin]})
    variables = make_plan("numpy").build_job(cell, 1, 0).variables
    assert variables["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] == disabled
    assert variables["TORCHINDUCTOR_CACHE_DIR"] == "{cache}/inductor"
    assert variables["CUDA_CACHE_DISABLE"] == "1"


def test_only_a_warm_cache_that_there_is_has_to_be_filled(make_plan: MakePlan) -> None:
    pytest.importorskip("torch")
    plan = make_plan("torch:compile", "torch:eager", "numpy", axes={"cache": ("cold", "warm")})
    assert [(cell.label, cell.cache) for cell in plan.cells_to_fill] == [("torch:compile", "warm")]


def test_a_job_names_the_module_of_its_mode(make_plan: MakePlan) -> None:
    plan = make_plan("numpy")
    cells = expand({"frameworks": ["tensorflow:session", "tensorflow:xla"], "batch": [1], "workloads": ["mlp"]})
    modules = [plan.build_job(cell, 1, 0).module for cell in cells]
    assert modules == ["workers.frameworks.tensorflow_session", ""]


def test_all_jobs_of_a_sweep_compute_on_the_same_data_which_its_seed_repeats(make_plan: MakePlan) -> None:
    def seeds(seed: int) -> set[int]:
        plan = make_plan("numpy", "synthetic:spin", seed=seed)
        return {plan.build_job(cell, block, 0).seed for cell in plan.cells for block in (1, 2)}

    assert len(seeds(5)) == 1
    assert seeds(5) == seeds(5) != seeds(6)


def test_where_things_lie_in_memory_differs_from_job_to_job_and_repeats_with_the_seed(make_plan: MakePlan) -> None:
    def layouts(plan: Plan) -> list[tuple[int, int]]:
        jobs = [plan.build_job(cell, block, 0) for cell in plan.cells for block in (1, 2)]
        return [(job.hash_seed, job.padding_bytes) for job in jobs]

    first = layouts(make_plan(seed=5))
    assert len(set(first)) == len(first)
    assert layouts(make_plan(seed=5)) == first
    assert layouts(make_plan(seed=6)) != first


def test_a_job_has_the_deadline_and_the_limits_of_its_sweep(make_plan: MakePlan) -> None:
    plan = make_plan(deadline="9s", limits={"memory": "2GiB", "phases": {"compile": "5s"}})
    spec = plan.build_job(plan.cells[0], 1, 0)
    assert (spec.deadline_s, spec.limits.memory, spec.limits.phases) == (9, 2 << 30, {"compile": 5})


def test_a_baseline_is_named_with_its_version_where_there_are_several() -> None:
    spec = SweepSpec.model_validate({"axes": AXES | VERSIONS, "baseline": "tensorflow@2.21:eager"})
    assert "tensorflow@2.21:eager (A/A)" not in build_plan(spec, (0, 1)).labels.values()
    wrong = spec.model_copy(update={"baseline": "tensorflow@2.22:eager"})
    with pytest.raises(UsageError, match=r"unknown baseline 'tensorflow@2\.22:eager'; did you mean tensorflow@2\.2"):
        build_plan(wrong, (0, 1))


def test_variables_of_an_environment_are_a_jobs_own_and_give_way_to_what_makes_jobs_alike() -> None:
    variables = {"TF_FLAGS": "x", "OMP_NUM_THREADS": "9"}
    mine = {"requirements": ["numpy"], "variables": variables}
    spec = SweepSpec.model_validate({"axes": AXES | {"environment": ["mine"]}, "environments": {"mine": mine}})
    plan = build_plan(spec, (0, 1))
    job = plan.build_job(plan.cells[0], 1, 0)
    assert (job.variables["TF_FLAGS"], job.variables["OMP_NUM_THREADS"]) == ("x", "1")


def test_the_folder_of_a_model_is_that_of_its_file_or_of_the_code_that_is_imported_from(tmp_path: Path) -> None:
    (tmp_path / "nets.py").touch()
    (tmp_path / "mypkg").mkdir()
    assert find_model_folder(ModelSource(file="/models/net.py", folder=str(tmp_path))) == "/models"
    for module in ("nets", "mypkg.nets"):
        assert find_model_folder(ModelSource(module=module, folder=str(tmp_path))) == str(tmp_path)


def test_an_installed_model_has_no_folder_of_a_user(tmp_path: Path) -> None:
    assert find_model_folder(ModelSource(module="json.decoder", folder=str(tmp_path))) == ""
