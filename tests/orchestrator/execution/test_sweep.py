"""Sweeps with a simulated launcher, which also moves the clock."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.analysis.groups import group_results
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.launchers.template_pool import TemplatePool
from orchestrator.execution.supervisor import Ending
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.sweep_events import (
    BlockEnded,
    BlockStarted,
    JobEnded,
    JobEventReceived,
    JobRestored,
    JobStarted,
    SweepContinued,
    SweepEvent,
    SweepPaused,
)
from orchestrator.planning.plan import Plan
from orchestrator.processes.signals import STOP_SIGNALS, Interrupts
from orchestrator.records import store
from orchestrator.records.attempts import last_attempts
from orchestrator.records.store import Store
from schemas.event import Breach, Event, Failure, Hello, Phase, Report
from schemas.job import JobSpec
from schemas.record import Extension, Host, JobRecord, Placement
from tests.orchestrator.conftest import a_plan

MakePlan = Callable[..., Plan]
Act = Callable[[JobSpec], Ending]

HELLO = Hello(pid=1, python="3.11", interpreter="x")
BUILD = Phase(name="build")
SPIN, NUMPY = "synthetic:spin", "numpy:eager"
JOB_S = 10.0


@dataclass
class Actor:
    """A launcher whose jobs end as given for their label; every job takes ten seconds."""

    parts: Mapping[str, Act]
    default: Act
    now: float = 0.0
    launched: list[JobSpec] = field(default_factory=list)
    job_s: float = JOB_S

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        self.launched.append(spec)
        self.now += self.job_s
        ending = self.parts.get(spec.cell.label, self.default)(spec)
        for event in ending.events:
            on_event(event)
        return ending

    def clock(self) -> float:
        return self.now

    def labels(self, block: int) -> list[str]:
        return [spec.cell.label for spec in self.launched if spec.block == block]


def make_ending(*events: Event) -> Act:
    return lambda spec: Ending("ended", 0, (HELLO, *events), int(JOB_S * 1e9))


def end_in_turn(*reports: Report) -> Act:
    """Return an act whose jobs send these reports in turn."""
    endings = itertools.cycle([make_ending(report) for report in reports])

    def act(spec: JobSpec) -> Ending:
        return next(endings)(spec)

    return act


def end_raised(spec: JobSpec) -> Ending:
    return make_ending(Failure(outcome="raised", reason="no"))(spec)


@dataclass
class Rehearsal:
    """One sweep with its launcher and its published events."""

    sweep: Sweep
    actor: Actor
    published: list[SweepEvent]

    def outcomes(self, label: str) -> list[str]:
        return [record.outcome for record in self.sweep.records if record.spec.cell.label == label]


Rehearse = Callable[..., Rehearsal]


@pytest.fixture
def run(tmp_path: Path) -> Store:
    return store.create_run(tmp_path, "test", datetime(2025, 1, 1, tzinfo=UTC))


@pytest.fixture
def rehearse(run: Store, host: Host, make_report: Callable[..., Report]) -> Rehearse:
    def make(
        plan: Plan,
        parts: Mapping[str, Act] | None = None,
        interrupts: Interrupts | None = None,
        enough: Callable[[Sequence[JobRecord], int], bool] = lambda records, block: False,
        earlier: Sequence[JobRecord] | None = None,
        known: Mapping[str, float] | None = None,
    ) -> Rehearsal:
        def measured(spec: JobSpec) -> Ending:
            calibrated = {NUMPY: 70, SPIN: 90}.get(spec.cell.label, 80) + len(actor.launched)
            return make_ending(BUILD, make_report(calls=spec.timing.calls or calibrated))(spec)

        published: list[SweepEvent] = []
        actor = Actor(parts or {}, measured)
        sweep = Sweep(
            plan=plan,
            launcher=actor,
            store=run,
            host=host,
            enough=enough,
            publish=published.append,
            interrupts=interrupts or Interrupts(STOP_SIGNALS),
            clock=actor.clock,
            resumed=earlier is not None,
            earlier=earlier or (),
            known=known or {},
        )
        return Rehearsal(sweep, actor, published)

    return make


def test_each_block_runs_every_cell_once_in_the_order_of_the_plan(rehearse: Rehearse, make_plan: MakePlan) -> None:
    plan = make_plan()
    stage = rehearse(plan)
    assert stage.sweep.run() == "all 3 blocks were run"
    for block in (1, 2, 3):
        assert stage.actor.labels(block) == [cell.label for cell in plan.order_cells(plan.runnable, block)]
    assert [spec.position for spec in stage.actor.launched] == [0, 1, 2] * 3


def test_a_cell_that_its_user_skips_is_left_out_from_then_on_and_its_clone_too(
    rehearse: Rehearse, make_plan: MakePlan
) -> None:
    def skip(_: JobSpec) -> Ending:
        return Ending("skipped", -2, (HELLO, BUILD), 10**9, reason="the user skipped this cell")

    plan = make_plan()
    (twin,) = (cell for cell in plan.cells if cell.replica)
    skipped = twin.model_copy(update={"replica": 0})
    stage = rehearse(plan, {skipped.label: skip, twin.label: skip})
    assert stage.sweep.run() == "all 3 blocks were run"
    assert stage.outcomes(skipped.label) + stage.outcomes(twin.label) == ["skipped"]
    (kept,) = (cell for cell in plan.cells if cell not in (skipped, twin))
    assert stage.outcomes(kept.label) == ["measured"] * 3
    again = rehearse(plan, earlier=stage.sweep.records)
    again.sweep.run()
    assert again.actor.launched == []


class Pressed(Keyboard):
    """A keyboard whose pause key is pressed after `after` jobs; the pause takes a minute by the actor's clock."""

    def __init__(self, stage: Rehearsal, after: int) -> None:
        super().__init__()
        self.stage, self.after, self.waited = stage, after, 0

    @property
    def paused(self) -> bool:
        return len(self.stage.actor.launched) == self.after and not self.waited

    @paused.setter
    def paused(self, _: bool) -> None:
        pass

    def wait(self, interrupts: Interrupts) -> None:
        self.waited += 1
        self.stage.actor.now += 60


def test_a_pause_comes_between_two_jobs_and_costs_nothing_of_the_budget(
    rehearse: Rehearse, make_plan: MakePlan
) -> None:
    stage = rehearse(make_plan(stop={"blocks": 3, "budget": 100.0}))
    stage.sweep.keys = keys = Pressed(stage, after=4)
    assert stage.sweep.run() == "all 3 blocks were run"
    assert keys.waited == 1
    (begun,) = (number for number, event in enumerate(stage.published) if isinstance(event, SweepPaused))
    assert isinstance(stage.published[begun - 1], JobEnded)
    assert stage.published[begun + 1] == SweepContinued(60)
    assert isinstance(stage.published[begun + 2], JobStarted)


def test_its_user_can_stop_it(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan())
    stage.sweep.keys.stopping = True
    assert stage.sweep.run() == "stopped by the user"
    assert len(stage.actor.launched) == 1


def test_every_job_leaves_exactly_one_record_on_disk(rehearse: Rehearse, make_plan: MakePlan, run: Store) -> None:
    stage = rehearse(make_plan(), {SPIN: end_raised})
    stage.sweep.run()
    assert run.read_records() == stage.sweep.records
    assert [record.spec for record in run.read_records()] == stage.actor.launched


def test_a_record_is_on_disk_before_it_is_spoken_of(rehearse: Rehearse, make_plan: MakePlan, run: Store) -> None:
    seen: list[bool] = []

    def look(event: SweepEvent) -> None:
        if isinstance(event, JobEnded):
            seen.append(event.record in run.read_records())

    stage = rehearse(make_plan())
    stage.sweep.publish = look
    stage.sweep.run()
    assert seen == [True] * 9


def test_events_come_in_the_order_of_what_happens(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan("numpy", stop={"blocks": 1}))
    stage.sweep.run()
    job = [JobStarted, JobEventReceived, JobEventReceived, JobEventReceived, JobEnded]
    assert [type(event) for event in stage.published] == [BlockStarted, *job, *job, BlockEnded]
    assert [event.event.kind for event in stage.published[2:5] if isinstance(event, JobEventReceived)] == [
        "hello",
        "phase",
        "report",
    ]


def test_no_block_starts_that_would_not_fit_the_budget(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan("numpy", stop={"budget": 59, "blocks": 32}))
    assert stage.sweep.run() == "the budget of 59 s was used up"
    assert stage.actor.now == 40


def test_a_block_that_fits_exactly_is_run(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan("numpy", stop={"budget": 60, "blocks": 32}))
    stage.sweep.run()
    assert stage.actor.now == 60


def test_of_the_first_block_the_jobs_that_fit_are_run_and_it_says_how_many(
    rehearse: Rehearse, make_plan: MakePlan
) -> None:
    stage = rehearse(make_plan(stop={"budget": 25}), known={NUMPY: JOB_S, SPIN: JOB_S})
    assert stage.sweep.run() == "the budget of 25 s was used up in the first block: 2 of 3 cells were measured"
    assert stage.actor.now == 20


def test_the_first_job_is_run_whatever_the_budget(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan("numpy", stop={"budget": 1}))
    stage.sweep.run()
    assert len(stage.sweep.records) == 1


@pytest.mark.parametrize("budget_s", [1, 9, 15, 33, 47, 62, 85, 99])
def test_a_budget_is_kept_within_one_job_however_wrong_the_estimates_are(
    rehearse: Rehearse, make_plan: MakePlan, budget_s: int
) -> None:
    for known_s in (0.001, JOB_S, 1000.0):
        stage = rehearse(make_plan(stop={"budget": budget_s, "blocks": 32}), known={NUMPY: known_s, SPIN: known_s})
        stage.sweep.run()
        assert 0 < stage.actor.now <= budget_s + JOB_S


def test_a_block_whose_jobs_became_longer_is_cut_and_the_next_not_begun(
    rehearse: Rehearse, make_plan: MakePlan, make_report: Callable[..., Report]
) -> None:
    def slow_down(spec: JobSpec) -> Ending:
        if len(stage.actor.launched) == 4:
            stage.actor.now += 35
        return make_ending(make_report(calls=spec.timing.calls or 80))(spec)

    stage = rehearse(make_plan(stop={"budget": 85, "blocks": 32}))
    stage.actor.parts = {NUMPY: slow_down, SPIN: slow_down}
    assert stage.sweep.run() == "the budget of 85 s was used up"
    assert len(stage.actor.labels(1)) == 3
    assert 1 <= len(stage.actor.labels(2)) < 3
    assert stage.actor.labels(3) == []


def test_a_retry_that_does_not_fit_is_not_begun(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan("numpy", stop={"budget": 15, "blocks": 3}), known={NUMPY: JOB_S})
    stage.actor.default = end_killed
    stage.sweep.run()
    assert [record.outcome for record in stage.sweep.records] == ["killed"]


def test_time_is_left_for_the_profiles(rehearse: Rehearse, make_plan: MakePlan) -> None:
    plan = make_plan("numpy", stop={"budget": 55, "blocks": 32}, profile=True)
    stage = rehearse(plan, known={NUMPY: JOB_S})
    said = stage.sweep.run()
    assert said == "the budget of 55 s was used up"
    assert [spec.purpose.kind for spec in stage.actor.launched] == ["measure"] * 4 + ["profile"]
    assert stage.actor.now == 50


def test_a_profile_for_which_no_time_is_left_is_missing_and_that_is_said(
    rehearse: Rehearse, make_plan: MakePlan
) -> None:
    stage = rehearse(make_plan("numpy", stop={"budget": 25, "blocks": 32}, profile=True), known={NUMPY: 0.001})
    assert stage.sweep.run() == "the budget of 25 s was used up, which left no time for 1 profile"


def test_a_cache_that_cannot_be_filled_in_time_leaves_its_cell_without_a_job(
    rehearse: Rehearse, make_plan: MakePlan
) -> None:
    plan = make_plan("torch:compile", axes={"cache": ("warm",)}, stop={"budget": 15, "blocks": 2})
    stage = rehearse(plan, known={"torch:compile": JOB_S})
    stage.sweep.run()
    assert [spec.block for spec in stage.actor.launched] == [0]


def extend(plan: Plan, least_blocks: int, blocks: int = 1) -> Plan:
    """Return a plan that was extended to this number of blocks after it had ended."""
    stop = plan.spec.stop.model_copy(update={"blocks": least_blocks})
    before = Extension(when="now", stop=plan.spec.stop, blocks=blocks, least_blocks=least_blocks)
    spec = plan.spec.model_copy(update={"stop": stop})
    return dataclasses.replace(plan, spec=spec, extensions=(before,))


def test_blocks_that_are_asked_for_by_their_number_run_whatever_the_budget_and_the_goal(
    rehearse: Rehearse, make_plan: MakePlan
) -> None:
    plan = make_plan("numpy", stop={"budget": 45, "blocks": 32})
    first = rehearse(plan)
    assert first.sweep.run() == "the budget of 45 s was used up"
    assert len(first.sweep.records) == 4
    more = rehearse(extend(plan, 4), earlier=first.sweep.records, enough=lambda _, block: block <= 3)
    assert more.sweep.run() == "all 4 blocks were run"
    assert [spec.block for spec in more.actor.launched] == [3, 3, 4, 4]


def test_the_blocks_of_an_extension_have_the_order_that_they_would_have_had(
    rehearse: Rehearse, make_plan: MakePlan
) -> None:
    plan = make_plan(stop={"budget": 1000, "blocks": 2})
    first, whole = rehearse(plan), rehearse(make_plan(stop={"budget": 1000, "blocks": 5}))
    first.sweep.run()
    whole.sweep.run()
    more = rehearse(extend(plan, 5), earlier=first.sweep.records)
    more.sweep.run()
    assert [spec.cell for spec in more.actor.launched] == [spec.cell for spec in whole.actor.launched[6:]]
    assert {spec.timing.warmup_max_ns for spec in more.actor.launched} == {
        spec.timing.warmup_max_ns for spec in first.actor.launched
    }


def test_a_larger_budget_completes_the_block_that_was_cut_first(rehearse: Rehearse, make_plan: MakePlan) -> None:
    plan = make_plan(stop={"budget": 25, "blocks": 2})
    first = rehearse(plan, known={NUMPY: JOB_S, SPIN: JOB_S})
    first.sweep.run()
    more = rehearse(make_plan(stop={"budget": 100, "blocks": 2}), earlier=first.sweep.records)
    assert more.sweep.run() == "all 2 blocks were run"
    assert [spec.block for spec in more.actor.launched] == [1, 2, 2, 2]
    assert len(more.sweep.records) == 6


def test_a_sweep_ends_after_the_block_in_which_its_precision_is_reached(
    rehearse: Rehearse, make_plan: MakePlan
) -> None:
    asked: list[tuple[int, int]] = []

    def enough(records: Sequence[JobRecord], block: int) -> bool:
        asked.append((block, len(records)))
        return block == 8

    said = rehearse(make_plan(stop={"precision": 0.05}), enough=enough).sweep.run()
    assert said == "every ratio to the baseline is known to ±5 %"
    assert asked == [(block, 3 * block) for block in range(1, 9)]


def test_a_sweep_claims_no_precision_that_its_records_do_not_have(rehearse: Rehearse, make_plan: MakePlan) -> None:
    said = rehearse(make_plan(stop={"precision": 0.05}), enough=lambda _, block: block == 2).sweep.run()
    assert said == "not every ratio to the baseline has an interval yet, and ±5 % was requested"


def test_a_sweep_of_one_cell_does_not_claim_the_precision_of_a_ratio(rehearse: Rehearse, make_plan: MakePlan) -> None:
    plan = make_plan("numpy", stop={"precision": 0.05})
    said = rehearse(plan, enough=lambda _, block: block == 8).sweep.run()
    assert said == "the time is known to ±5 %"


def test_a_sweep_that_ends_at_its_last_look_does_not_claim_a_precision(rehearse: Rehearse, make_plan: MakePlan) -> None:
    plan = make_plan("numpy", stop={"blocks": 40, "budget": 100_000})
    said = rehearse(plan, enough=lambda _, block: block == 32).sweep.run()
    assert said == "32 blocks were run, the most for which the intervals are valid"


def test_an_attempt_that_is_there_is_never_written_over_though_one_before_it_was_lost(
    rehearse: Rehearse, make_plan: MakePlan, make_record: Callable[..., JobRecord]
) -> None:
    plan = make_plan("numpy", stop={"blocks": 1})
    spec = plan.build_job(plan.order_cells(plan.runnable, 1)[0], 1, 0).model_copy(update={"attempt": 2})
    stage = rehearse(plan, earlier=[make_record(spec=spec, outcome="interrupted")])
    stage.sweep.run()
    assert [job.attempt for job in stage.actor.launched if job.cell == spec.cell] == [3]


def test_inner_calls_are_calibrated_once_and_then_the_same(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan())
    stage.sweep.run()
    for label in (NUMPY, SPIN):
        asked = [spec.timing.calls for spec in stage.actor.launched if spec.cell.label == label]
        first = next(record.report for record in stage.sweep.records if record.spec.cell.label == label)
        assert first is not None
        assert asked == [None, first.calls, first.calls]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"verification": {"checks": (), "reason": "off"}}, "wrong"),
        ({"settings": ({"name": "threads", "asked": "1", "got": "2"},)}, "unfair"),
        ({"compilations": 1}, "recompiled"),
    ],
)
def test_what_another_process_would_only_repeat_is_not_repeated(
    rehearse: Rehearse,
    make_plan: MakePlan,
    make_report: Callable[..., Report],
    changes: dict[str, object],
    outcome: str,
) -> None:
    stage = rehearse(make_plan(), {SPIN: make_ending(make_report(**changes))})
    stage.sweep.run()
    assert stage.outcomes(SPIN) == [outcome]
    assert stage.outcomes(NUMPY) == ["measured"] * 3


def test_the_most_that_any_job_did_is_the_measure_for_all_later_ones(
    rehearse: Rehearse, make_plan: MakePlan, make_report: Callable[..., Report]
) -> None:
    fast = make_ending(make_report(ceiling={"flops_per_s": 1e12, "bytes_per_s": 1e12}))
    busy = make_ending(make_report(work={"flops": 1000, "bytes": 0}, ceiling={"flops_per_s": 1e6, "bytes_per_s": 1e12}))
    plan = make_plan("numpy", "synthetic:spin", stop={"blocks": 1})
    first, *later = (cell.label for cell in plan.order_cells(plan.runnable, 1))
    stage = rehearse(plan, {first: fast} | dict.fromkeys(later, busy))
    stage.sweep.run()
    assert [record.outcome for record in stage.sweep.records] == ["measured"] * 3


def test_a_cache_that_is_filled_again_by_resume_leaves_the_first_record_alone(
    rehearse: Rehearse, make_plan: MakePlan, make_record: Callable[..., JobRecord]
) -> None:
    plan = make_plan("torch:compile", axes={"cache": ("warm",)}, stop={"budget": 999, "blocks": 1})
    filled = plan.build_job(plan.cells_to_fill[0], 0, 0)
    stage = rehearse(plan, earlier=[make_record(spec=filled)])
    stage.sweep.run()
    assert [(job.block, job.attempt) for job in stage.actor.launched if job.cell == filled.cell] == [(0, 2), (1, 1)]


def test_a_warm_cache_is_filled_by_a_job_before_the_first_block(rehearse: Rehearse, make_plan: MakePlan) -> None:
    pytest.importorskip("torch")
    rehearsal = rehearse(make_plan("torch:compile", axes={"cache": ("warm",)}, stop={"budget": 999, "blocks": 2}))
    rehearsal.sweep.run()
    first = [(spec.block, spec.cell.replica) for spec in rehearsal.actor.launched[:2]]
    assert first == [(0, 0), (0, 1)]
    assert [spec.block for spec in rehearsal.actor.launched[2:]] == [1, 1, 2, 2]


def test_a_cell_that_raises_is_tried_twice(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan(), {SPIN: end_raised})
    stage.sweep.run()
    assert stage.outcomes(SPIN) == ["raised", "raised"]


ACCUSING: Sequence[tuple[dict[str, object], str]] = [
    ({"work": {"flops": 10**12, "bytes": 0}}, "implausible"),
    ({"unseen": 1.6}, "implausible"),
    ({"overhead": {"null_ns": 20, "clock_ns": 30, "linearity": 2.5}}, "nonlinear"),
]


@pytest.mark.parametrize(("changes", "outcome"), ACCUSING)
def test_an_accusation_is_final_once_a_second_process_says_the_same(
    rehearse: Rehearse,
    make_plan: MakePlan,
    make_report: Callable[..., Report],
    changes: dict[str, object],
    outcome: str,
) -> None:
    stage = rehearse(make_plan(stop={"blocks": 3}), {SPIN: make_ending(make_report(**changes))})
    stage.sweep.run()
    assert stage.outcomes(SPIN) == [outcome, outcome]
    launched = [spec for spec in stage.actor.launched if spec.cell.label == SPIN]
    assert [(spec.block, spec.attempt, spec.timing.calls) for spec in launched] == [(1, 1, None), (1, 2, None)]


@pytest.mark.parametrize(("changes", "outcome"), ACCUSING)
def test_the_word_of_one_job_accuses_no_cell(
    rehearse: Rehearse,
    make_plan: MakePlan,
    make_report: Callable[..., Report],
    changes: dict[str, object],
    outcome: str,
) -> None:
    ends = end_in_turn(make_report(**changes), make_report())
    stage = rehearse(make_plan(stop={"blocks": 3}), {SPIN: ends})
    stage.sweep.run()
    assert stage.outcomes(SPIN) == [outcome, "measured"] * 3
    groups = group_results(last_attempts(stage.sweep.records), stage.sweep.plan.cells)
    result = next(each for group in groups for each in group.results if each.label == SPIN)
    assert (result.outcome, result.jobs) == ("measured", 3)


def test_an_accusation_of_the_other_kind_is_a_second_one(
    rehearse: Rehearse, make_plan: MakePlan, make_report: Callable[..., Report]
) -> None:
    ends = end_in_turn(*(make_report(**changes) for changes, _ in (ACCUSING[0], ACCUSING[2])))
    stage = rehearse(make_plan(stop={"blocks": 3}), {SPIN: ends})
    stage.sweep.run()
    assert stage.outcomes(SPIN) == ["implausible", "nonlinear"]


def test_a_clone_has_as_many_calls_and_samples_as_its_original(
    rehearse: Rehearse, make_plan: MakePlan, make_report: Callable[..., Report]
) -> None:
    stage = rehearse(make_plan("numpy", stop={"blocks": 3}))
    stage.sweep.run()
    asked = [(spec.timing.calls, spec.timing.samples) for spec in stage.actor.launched]
    first = stage.sweep.records[0].report
    assert first is not None
    assert asked == [(None, 100), *[(first.calls, len(first.samples_ns))] * 5]
    assert len({spec.cell.replica for spec in stage.actor.launched[:2]}) == 2


def test_a_sweep_in_which_everything_fails_says_so(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan("numpy"))
    stage.actor.default = end_raised
    assert stage.sweep.run() == "no cell was left that could be measured"
    assert len(stage.sweep.records) == 4


def test_a_cell_that_cannot_run_here_is_not_started_and_has_its_one_record(
    rehearse: Rehearse, make_plan: MakePlan, run: Store
) -> None:
    stage = rehearse(make_plan("numpy", axes={"dtype": ("float32", "bfloat16")}))
    stage.sweep.run()
    assert {spec.cell.dtype for spec in stage.actor.launched} == {"float32"}
    (refused,) = (record for record in run.read_records() if record.outcome == "unsupported")
    assert refused.outside is None
    assert "bfloat16" in refused.reason


def test_an_interruption_keeps_what_is_there_and_starts_nothing_more(
    rehearse: Rehearse, make_plan: MakePlan, run: Store
) -> None:
    def interrupted(spec: JobSpec) -> Ending:
        interrupts.received = STOP_SIGNALS[0]
        return Ending("interrupted", -2, (HELLO, BUILD), 1, "stopped by SIGINT")

    interrupts, plan = Interrupts(), make_plan()
    stage = rehearse(plan, {SPIN: interrupted}, interrupts)
    before = [cell.label for cell in plan.order_cells(plan.runnable, 1)].index(SPIN)
    assert stage.sweep.run() == "stopped by SIGINT"
    assert [record.outcome for record in run.read_records()] == ["measured"] * before + ["interrupted"]


def test_a_signal_at_the_very_end_of_a_job_keeps_its_measurement(rehearse: Rehearse, make_plan: MakePlan) -> None:
    interrupts = Interrupts()
    stage = rehearse(make_plan(), interrupts=interrupts)
    interrupts.received = STOP_SIGNALS[1]
    assert stage.sweep.run() == "stopped by SIGTERM"
    assert [record.outcome for record in stage.sweep.records] == ["measured"]


def test_a_record_says_how_the_job_looked_from_outside(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan("numpy", stop={"blocks": 1}))
    stage.sweep.run()
    outside = stage.sweep.records[0].outside
    assert outside is not None
    assert (outside.spawn_to_end_ns, outside.exit_status, outside.last_phase) == (10**10, 0, "build")
    assert datetime.fromisoformat(outside.started).tzinfo is not None


def end_killed(spec: JobSpec) -> Ending:
    return Ending("ended", -9, (HELLO, BUILD), 10**9)


def test_a_job_that_somebody_killed_is_run_once_more_at_once_and_both_attempts_are_kept(
    rehearse: Rehearse, make_plan: MakePlan, make_report: Callable[..., Report], run: Store
) -> None:
    def first_only(spec: JobSpec) -> Ending:
        return end_killed(spec) if spec.attempt == 1 else make_ending(make_report())(spec)

    stage = rehearse(make_plan(stop={"budget": 1000, "blocks": 3}), {SPIN: first_only})
    assert stage.sweep.run() == "all 3 blocks were run"
    assert stage.outcomes(SPIN) == ["killed", "measured"] * 3
    attempts = [record.spec.attempt for record in run.read_records() if record.spec.cell.label == SPIN]
    assert attempts == [1, 2] * 3


def test_a_job_that_is_killed_again_and_again_is_given_up(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan(), {SPIN: end_killed})
    stage.sweep.run()
    assert stage.outcomes(SPIN) == ["killed"] * 4


def test_a_job_that_fails_by_itself_has_one_attempt(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan(), {SPIN: end_raised})
    stage.sweep.run()
    assert {record.spec.attempt for record in stage.sweep.records} == {1}


@pytest.mark.parametrize("kept", range(10))
def test_a_resumed_sweep_runs_what_is_missing_and_nothing_else(
    rehearse: Rehearse, make_plan: MakePlan, kept: int
) -> None:
    whole = rehearse(make_plan(), {SPIN: end_raised})
    whole.sweep.run()
    resumed = rehearse(make_plan(), {SPIN: end_raised}, earlier=whole.sweep.records[:kept])
    resumed.actor.now = 1e6
    for job in whole.sweep.records[kept:]:
        resumed.sweep.store.log_path(job.spec).unlink(missing_ok=True)
    assert resumed.sweep.run() == "all 3 blocks were run"
    assert [spec.cell.id for spec in resumed.actor.launched] == [
        record.spec.cell.id for record in whole.sweep.records[kept:]
    ]
    assert [(record.spec.block, record.outcome) for record in resumed.sweep.records] == [
        (record.spec.block, record.outcome) for record in whole.sweep.records
    ]
    assert sum(isinstance(event, JobRestored) for event in resumed.published) == min(kept, len(whole.sweep.records))


def test_a_resumed_sweep_keeps_to_the_calls_and_the_budget_of_its_first_part(
    rehearse: Rehearse, make_plan: MakePlan
) -> None:
    plan = make_plan("numpy", stop={"budget": 25, "blocks": 9})
    first = rehearse(plan, earlier=())
    first.sweep.run()
    resumed = rehearse(plan, earlier=first.sweep.records)
    assert resumed.sweep.run() == "the budget of 25 s was used up"
    assert resumed.actor.launched == []
    more = rehearse(make_plan("numpy", stop={"budget": 99, "blocks": 2}), earlier=first.sweep.records)
    more.sweep.run()
    report = first.sweep.records[0].report
    assert report is not None
    calls = {spec.timing.calls for spec in more.actor.launched if spec.cell.label == NUMPY}
    assert calls == {
        record.report.calls
        for record in first.sweep.records[:2]
        if record.report is not None and record.spec.cell.label == NUMPY
    }


def test_a_job_of_which_only_the_log_is_there_was_lost_with_the_orchestrator_and_is_run_again(
    rehearse: Rehearse, make_plan: MakePlan, run: Store
) -> None:
    plan = make_plan("numpy", stop={"blocks": 1})
    cell = plan.order_cells(plan.runnable, 1)[0]
    run.log_path(plan.build_job(cell, 1, 0)).touch()
    stage = rehearse(plan, earlier=())
    stage.sweep.run()
    found = [(record.outcome, record.spec.attempt) for record in run.read_records() if record.spec.cell == cell]
    assert found == [("orchestrator-lost", 1), ("measured", 2)]


def test_an_interrupted_job_is_run_again_when_the_sweep_is_resumed(
    rehearse: Rehearse, make_plan: MakePlan, make_record: Callable[..., JobRecord], run: Store
) -> None:
    plan = make_plan("numpy", stop={"blocks": 1})
    spec = plan.build_job(plan.order_cells(plan.runnable, 1)[0], 1, 0)
    stage = rehearse(plan, earlier=[make_record(spec=spec, outcome="interrupted")])
    stage.sweep.run()
    assert [(job.attempt, job.position) for job in stage.actor.launched] == [(2, 0), (1, 1)]
    assert [record.outcome for record in stage.sweep.records] == ["interrupted", "measured", "measured"]


def end_broken(part: Breach) -> Act:
    """Return an act whose jobs fail because this part of the workload breaks its contract."""
    return make_ending(Failure(outcome="raised", reason="reference.py has no shapes", breach=part))


def test_a_broken_workload_is_said_for_every_cell_after_one_job(rehearse: Rehearse, make_plan: MakePlan) -> None:
    plan = make_plan()
    stage = rehearse(plan, dict.fromkeys({cell.label for cell in plan.cells}, end_broken("reference")))
    assert stage.sweep.run() == "no cell was left that could be measured"
    assert len(stage.actor.launched) == 1
    assert {record.spec.cell.id for record in stage.sweep.records} == {cell.id for cell in plan.cells}
    assert {record.reason for record in stage.sweep.records} == {"reference.py has no shapes"}
    started = [record for record in stage.sweep.records if record.outside is not None]
    assert len(started) == 1
    assert all("was not started" in each.advice for each in stage.sweep.records if each not in started)


def test_a_broken_implementation_is_final_for_its_cells_alone(rehearse: Rehearse, make_plan: MakePlan) -> None:
    plan = make_plan("torch:eager", "torch:trace", "jax:jit", stop={"blocks": 2})
    broken = dict.fromkeys(("torch:eager", "torch:trace", "torch:eager (A/A)"), end_broken("implementation"))
    stage = rehearse(plan, broken)
    stage.sweep.run()
    assert sum(spec.cell.framework == "torch" for spec in stage.actor.launched) == 1
    assert stage.outcomes("torch:trace") == stage.outcomes("torch:eager") == ["raised"]
    assert stage.outcomes("jax:jit") == ["measured"] * 2


def test_what_breaks_one_task_leaves_the_others(rehearse: Rehearse, make_plan: MakePlan) -> None:
    plan = make_plan("numpy", axes={"tasks": ("forward", "backward")}, stop={"blocks": 1})

    def act(spec: JobSpec) -> Ending:
        report = rehearse(plan).actor.default(spec)
        return end_broken("reference")(spec) if spec.cell.task == "backward" else report

    stage = rehearse(plan, {"numpy:eager": act, "numpy:eager (A/A)": act})
    stage.sweep.run()
    outcomes = {(record.spec.cell.task, record.outcome) for record in stage.sweep.records}
    assert outcomes == {("forward", "measured"), ("backward", "raised")}


def test_a_resumed_run_starts_no_job_of_a_broken_workload(rehearse: Rehearse, make_plan: MakePlan) -> None:
    plan = make_plan()
    parts = dict.fromkeys({cell.label for cell in plan.cells}, end_broken("reference"))
    first = rehearse(plan, parts)
    first.sweep.run()
    again = rehearse(plan, parts, earlier=first.sweep.records)
    again.sweep.run()
    assert again.actor.launched == []
    assert len(again.sweep.records) == len(first.sweep.records)


def test_jobs_are_forked_but_for_the_first_block_and_every_fifth(rehearse: Rehearse) -> None:
    rehearsal = rehearse(a_plan(stop={"budget": 1000, "blocks": 7}))
    rehearsal.sweep.run()
    starts = {block: {job.start for job in rehearsal.actor.launched if job.block == block} for block in range(1, 8)}
    assert starts == {1: {"fresh"}, 6: {"fresh"}} | {block: {"template"} for block in (2, 3, 4, 5, 7)}


def run_slower_if_forked(
    rehearse: Rehearse, make_report: Callable[..., Report], fresh_ns: Mapping[int, int]
) -> dict[str, list[str]]:
    """Run nine blocks in which forked processes of NumPy take 1,100 ns a call, and fresh ones 1,000 unless told so.

    Returns how the jobs of each cell started after the sixth block.
    """

    def act(spec: JobSpec) -> Ending:
        is_forked = spec.start == "template"
        call_ns = 1100 if is_forked else fresh_ns.get(spec.block, 1000)
        return make_ending(BUILD, make_report(call_ns, forked=is_forked))(spec)

    rehearsal = rehearse(a_plan(stop={"budget": 1000, "blocks": 9}), {NUMPY: act, f"{NUMPY} (A/A)": act})
    rehearsal.sweep.run()
    return {
        label: [job.start for job in rehearsal.actor.launched if job.cell.label == label and job.block > 6]
        for label in (NUMPY, f"{NUMPY} (A/A)", SPIN)
    }


def test_a_mode_that_a_fork_makes_slower_starts_fresh_with_its_clone(
    rehearse: Rehearse, make_report: Callable[..., Report]
) -> None:
    starts = run_slower_if_forked(rehearse, make_report, fresh_ns={})
    # Two fresh processes are needed to tell: those of the first and the sixth block.
    assert starts == {NUMPY: ["fresh"] * 3, f"{NUMPY} (A/A)": ["fresh"] * 3, SPIN: ["template"] * 3}


def test_a_mode_is_forked_again_once_a_fresh_process_is_as_slow(
    rehearse: Rehearse, make_report: Callable[..., Report]
) -> None:
    starts = run_slower_if_forked(rehearse, make_report, fresh_ns={7: 1100})
    alike = ["fresh", "template", "template"]
    assert starts == {NUMPY: alike, f"{NUMPY} (A/A)": alike, SPIN: ["template"] * 3}


def test_a_mode_starts_fresh_while_its_clone_differs(rehearse: Rehearse, make_report: Callable[..., Report]) -> None:
    def act(spec: JobSpec) -> Ending:
        is_forked = spec.start == "template"
        return make_ending(BUILD, make_report(1100 if is_forked else 1000, forked=is_forked))(spec)

    rehearsal = rehearse(a_plan(stop={"budget": 1000, "blocks": 9}), {f"{NUMPY} (A/A)": act})
    rehearsal.sweep.run()
    late = [job for job in rehearsal.actor.launched if job.block > 6]
    assert {job.start for job in late if job.cell.framework == "numpy"} == {"fresh"}
    assert {job.start for job in late if job.cell.framework != "numpy"} == {"template"}


def test_templates_are_opened_for_the_jobs_of_a_block_that_have_not_run_yet(rehearse: Rehearse) -> None:
    opened: list[list[tuple[int, str]]] = []

    class Noting(TemplatePool):
        def open_block(self, jobs: Iterable[JobSpec]) -> None:
            opened.append(sorted((job.block, job.cell.label) for job in jobs))

    rehearsal = rehearse(a_plan(stop={"budget": 1000, "blocks": 2}))
    rehearsal.sweep.templates = Noting(rehearsal.sweep.plan.environments)
    rehearsal.sweep.run()
    labels = sorted(cell.label for cell in rehearsal.sweep.plan.cells)
    assert opened == [[(block, label) for label in labels] for block in (1, 2)]

    again = rehearse(a_plan(stop={"budget": 1000, "blocks": 2}), earlier=rehearsal.sweep.records[:-1])
    again.sweep.templates = Noting(again.sweep.plan.environments)
    opened.clear()
    again.sweep.run()
    last = rehearsal.sweep.records[-1].spec
    assert opened == [[], [(2, last.cell.label)]]


def test_a_block_begins_only_if_its_templates_fit_the_budget_too(rehearse: Rehearse) -> None:
    class Slow(TemplatePool):
        def open_block(self, jobs: Iterable[JobSpec]) -> None:
            # Only what is to be forked takes time.
            rehearsal.actor.now += 15 * any(job.start == "template" for job in jobs)

    # A block takes thirty seconds, and fifteen more with templates: the third would end after 120 s.
    for budget, blocks in ((115, 2), (125, 3)):
        rehearsal = rehearse(a_plan(stop={"budget": budget, "blocks": 3}))
        rehearsal.sweep.templates = Slow(rehearsal.sweep.plan.environments)
        rehearsal.sweep.run()
        assert max(record.spec.block for record in rehearsal.sweep.records) == blocks


# A share of a sweep


def test_a_share_begins_with_its_first_block_and_ends_with_its_last(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan(stop={"blocks": 7, "budget": 1000}))
    stage.sweep.first_block = 5
    assert stage.sweep.run() == "all 7 blocks were run"
    assert {spec.block for spec in stage.actor.launched} == {5, 6, 7}
    plan = stage.sweep.plan
    for block in (5, 6, 7):
        assert stage.actor.labels(block) == [cell.label for cell in plan.order_cells(plan.runnable, block)]
    assert [event.block for event in stage.published if isinstance(event, BlockEnded)] == [5, 6, 7]


def test_records_of_a_share_have_its_placement_also_those_of_refused_cells(
    rehearse: Rehearse, make_plan: MakePlan
) -> None:
    plan = make_plan(stop={"blocks": 4, "budget": 1000})
    refused = plan.cells[1]
    stage = rehearse(dataclasses.replace(plan, refused={refused.id: "it cannot run here"}))
    placed = Placement(node="n1", share=2, attempt=1)
    stage.sweep.first_block, stage.sweep.placement = 4, placed
    stage.sweep.__post_init__()
    stage.sweep.run()
    assert {record.placement for record in stage.sweep.records} == {placed}
    (unsupported,) = [record for record in stage.sweep.records if record.outcome == "unsupported"]
    assert (unsupported.spec.cell, unsupported.spec.block) == (refused, 4)


def test_a_block_that_is_cut_off_has_not_ended(rehearse: Rehearse, make_plan: MakePlan) -> None:
    stage = rehearse(make_plan(stop={"budget": 25}), known={NUMPY: JOB_S, SPIN: JOB_S})
    stage.sweep.run()
    assert not [event for event in stage.published if isinstance(event, BlockEnded)]
