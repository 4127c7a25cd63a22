"""The request of each job is the one that a sweep makes of its manifest, and any other is named."""

import dataclasses
from collections.abc import Callable, Mapping

import pytest

from orchestrator.export.publication.requests import find_foreign_requests
from orchestrator.planning.plan import Plan
from schemas.job import JobSpec
from schemas.record import JobRecord, Manifest
from tests.orchestrator.conftest import HOST, a_manifest, a_plan
from tests.orchestrator.export.publication.forging import Clock, a_job

HOSTS = {
    "affinity": HOST.model_copy(update={"affinity": (0, 1), "logical_cores": 4}),
    "no affinity": HOST,
    "cores that are offline": HOST.model_copy(update={"affinity": (*range(128),), "cores": 128, "logical_cores": 2}),
}
PLANS: Mapping[str, Callable[[], Plan]] = {
    "usual": a_plan,
    "threads": lambda: a_plan(axes={"threads": (1, 2, 8)}),
    "defaults": lambda: a_plan(axes={"track": ("parity", "defaults")}),
    "concurrency": lambda: a_plan(axes={"tasks": ("forward",)}, timing={"concurrency": [1, 2], "latency_calls": 9}),
    "own timing": lambda: a_plan(timing={"sample_ns": 500, "warmup_max_ns": 10**8, "growth_calls": 7, "samples": 12}),
    "long budget": lambda: a_plan(stop={"budget": 3600, "blocks": 3}, deadline=900),
    "settings": lambda: a_plan(sandbox=True, start="fresh", limits={"memory": "1GiB"}),
    "claimed cores": lambda: dataclasses.replace(a_plan(), cores=(0,)),
}


def run_plan(plan: Plan, blocks: int = 7) -> list[JobRecord]:
    """The records of jobs that a plan asks for, block by block."""
    clock = Clock()
    return [
        a_job(clock, cell, block, 1000.0, spec=plan.build_job(cell, block, position))
        for block in range(1, blocks + 1)
        for position, cell in enumerate(plan.order_cells(plan.runnable, block))
    ]


def describe(plan: Plan, **changes: object) -> Manifest:
    return a_manifest(plan.cells, sweep=plan.spec, seed=plan.seed, **changes)


def ask(record: JobRecord, **changes: object) -> JobRecord:
    spec = JobSpec.model_validate(record.spec.model_dump(mode="json") | changes)
    return record.model_copy(update={"spec": spec})


def name_faults(record: JobRecord, plan: Plan, **changes: object) -> list[str]:
    return [fault.partition(" ")[2] for fault in find_foreign_requests(describe(plan), [ask(record, **changes)])]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", PLANS)
def test_what_a_plan_asks_for_is_what_its_manifest_says(name: str, host: str) -> None:
    plan = PLANS[name]()
    records = [record.model_copy(update={"host": HOSTS[host]}) for record in run_plan(plan)]
    assert list(find_foreign_requests(describe(plan), records)) == []


def test_later_processes_of_a_cell_may_sample_and_warm_up_as_its_first_ones_decide() -> None:
    plan = a_plan()
    repeated = {"calls": 17, "samples": 10, "warmup_min_ns": 1}
    records = [
        ask(each, timing=each.spec.timing.model_dump(mode="json") | repeated) if each.spec.block > 1 else each
        for each in run_plan(plan)
    ]
    assert list(find_foreign_requests(describe(plan), records)) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"seed": 5}, "was run with seed 5, and its manifest says "),
        ({"timing": {"sample_ns": 10, "warmup_max_ns": 3 * 10**9}}, "was run with sample_ns 10, and its manifest "),
        ({"timing": {"latency_calls": 9, "warmup_max_ns": 3 * 10**9}}, "was run with latency_calls 9"),
        ({"timing": {}}, "was run with warmup_max_ns None, and its manifest says 3000000000"),
        ({"timing": {"warmup_max_ns": 10}}, "was run with warmup_max_ns 10, and its manifest says 3000000000"),
        ({"deadline_s": 5}, "was run with deadline 5.0, and its manifest says 120.0"),
        ({"sandbox": True}, "was run with sandbox True, and its manifest says False"),
        ({"thorough": False}, "was run with thorough False, and its manifest says True"),
        ({"cpus": []}, "was measured on 0 cores, and its machine and its threads make that 1"),
        ({"cpus": [0, 1]}, "was measured on 2 cores, and its machine and its threads make that 1"),
    ],
)
def test_another_request_is_named(changes: dict[str, object], fault: str) -> None:
    plan = a_plan("numpy", axes={"workloads": ("mlp",)})
    (first, *_) = run_plan(plan)
    found = name_faults(first, plan, **{"position": 0} | changes)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_a_core_that_the_run_could_not_use_is_named() -> None:
    plan = a_plan()
    records = [record.model_copy(update={"host": HOSTS["affinity"]}) for record in run_plan(plan)]
    foreign = [ask(records[0], cpus=[7]), *records[1:]]
    (fault,) = find_foreign_requests(describe(plan), foreign)
    assert fault.endswith("was measured on core 7, which its run could not use")


def test_a_job_that_was_not_run_in_its_turn_is_named() -> None:
    plan = a_plan()
    first, second, *rest = run_plan(plan)
    moved = [ask(first, position=second.spec.position), ask(second, position=first.spec.position), *rest]
    faults = list(find_foreign_requests(describe(plan), moved))
    assert [fault.partition(" has ")[2] for fault in faults] == [
        "the place 1 in its block, and the seed of its run gives it the place 0",
        "the place 0 in its block, and the seed of its run gives it the place 1",
    ]


@pytest.mark.parametrize(
    ("changes", "stopped"),
    [
        ({}, "the budget of 100 s was used up"),
        ({"outcome": "skipped", "result": None}, "all 7 blocks were run"),
        ({"breach": "reference"}, "all 7 blocks were run"),
    ],
)
def test_a_block_that_was_cut_may_lack_jobs(changes: dict[str, object], stopped: str) -> None:
    plan = a_plan()
    *records, before, last = run_plan(plan)
    assert before.spec.block == last.spec.block
    manifest = describe(plan, stopped=stopped)
    kept = [*records, last.model_copy(update=changes)]
    assert list(find_foreign_requests(manifest, kept)) == []


def test_a_cell_that_was_never_started_has_no_turn() -> None:
    plan = a_plan()
    refused = plan.runnable[0]
    rest = dataclasses.replace(plan, refused={refused.id: "it cannot run here"})
    never = a_job(Clock(), refused, 1, 1000.0, "unsupported", spec=plan.build_job(refused, 1, 0), outside=None)
    records = run_plan(rest)
    assert list(find_foreign_requests(describe(plan), [never, *records])) == []


def test_an_attempt_that_was_lost_keeps_its_turn() -> None:
    plan = a_plan()
    first, *rest = run_plan(plan)
    lost = first.model_copy(update={"outcome": "orchestrator-lost", "result": None, "outside": None})
    assert list(find_foreign_requests(describe(plan), [lost, ask(first, attempt=2), *rest])) == []
