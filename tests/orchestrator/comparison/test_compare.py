import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.analysis.compare import CLAIMS, Verdict
from orchestrator.comparison.compare import Compared, compare_sides
from orchestrator.comparison.run_effects import ASSUMED_SPREAD
from orchestrator.errors import UsageError
from orchestrator.records.store import Store
from orchestrator.report.comparison.sentences import describe_basis
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.conftest import HOST, NOON

MakeCell = Callable[..., Cell]
MakeRun = Callable[..., Store]
MakeRecords = Callable[..., list[JobRecord]]
Swept = Callable[..., Store]
MakeReport = Callable[..., Report]

WORKLOADS = {8: "mlp", 16: "mlp", 32: "rnn", 64: "rnn", 128: "rnn"}
TIMES = {8: 1000.0, 16: 2000.0, 32: 4000.0, 64: 8000.0, 128: 16000.0}


@pytest.fixture
def swept(make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun) -> Swept:
    """Make runs of cells of these widths with these times, their blocks 10 s apart."""

    def make(
        name: str,
        times: Mapping[int, float] = TIMES,
        *,
        at_s: float = 0,
        seed: int = 1,
        label: str = "numpy:eager",
        environment: str = "current",
        step_s: float = 10,
        **changes: object,
    ) -> Store:
        cells = [
            (make_cell(label, workload=WORKLOADS[width], parameters={"width": width}, environment=environment), ns)
            for width, ns in times.items()
        ]
        records = make_records(cells, seed=seed)
        return make_run(name, [started(each, at_s + step_s * each.spec.block) for each in records], at_s, **changes)

    return make


def started(record: JobRecord, at_s: float) -> JobRecord:
    assert record.outside is not None
    at = (NOON + timedelta(seconds=at_s)).isoformat()
    return record.model_copy(update={"outside": record.outside.model_copy(update={"started": at})})


def verdicts(compared: Compared) -> list[Verdict | None]:
    return [change.verdict for change in compared.changes]


def test_two_runs_of_the_same_are_found_to_be_the_same(tmp_path: Path, swept: Swept) -> None:
    swept("a")
    swept("b", at_s=600, seed=2)
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert compared.ground == "one after the other"
    assert compared.apart_s == 600
    assert compared.missing == compared.machines == compared.software == ()
    assert verdicts(compared) == [Verdict.EQUIVALENT] * 5
    assert compared.together is not None
    assert abs(compared.together.common) < 0.003


def test_what_is_slower_in_the_second_run_is_found_and_by_how_much(tmp_path: Path, swept: Swept) -> None:
    swept("a")
    swept("b", TIMES | {32: 4400.0}, at_s=600, seed=2)
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert verdicts(compared) == [Verdict.EQUIVALENT] * 2 + [Verdict.SLOWER] + [Verdict.EQUIVALENT] * 2
    slower = compared.changes[2]
    assert slower.cell.parameters == {"width": 32}
    claimed, observed = slower.time.claimed, slower.time.observed
    assert 1.05 < claimed.low < observed.low < observed.estimate < observed.high < claimed.high < 1.15


def test_a_shift_of_all_cells_together_is_claimed_of_none(tmp_path: Path, swept: Swept) -> None:
    swept("a")
    swept("b", {width: 1.2 * ns for width, ns in TIMES.items()}, at_s=86_400, seed=2)
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert set(verdicts(compared)) == {Verdict.UNRESOLVED}
    assert compared.together is not None
    assert compared.together.common == pytest.approx(math.log(1.2), abs=0.003)


def test_at_face_value_it_is_claimed_of_each(tmp_path: Path, swept: Swept) -> None:
    swept("a")
    swept("b", {width: 1.2 * ns for width, ns in TIMES.items()}, at_s=86_400, seed=2)
    compared = compare_sides(tmp_path / "runs", "a", "b", at_face_value=True)
    assert set(verdicts(compared)) == {Verdict.SLOWER}
    assert all(change.time.claimed == change.time.observed for change in compared.changes)


def test_a_cell_with_one_other_beside_it_is_judged_by_an_assumed_effect_of_the_runs(
    tmp_path: Path, swept: Swept
) -> None:
    swept("a", {8: 1000.0, 16: 2000.0})
    swept("b", {8: 1000.0, 16: 3000.0}, at_s=600, seed=2)
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert compared.assumes_run_effect
    assert verdicts(compared) == [Verdict.UNRESOLVED, Verdict.SLOWER]
    for change in compared.changes:
        assert change.time.claimed.low < math.exp(-ASSUMED_SPREAD) * change.time.observed.low
        assert change.time.claimed.high > math.exp(ASSUMED_SPREAD) * change.time.observed.high


def test_one_cell_is_not_claimed_to_have_changed_where_the_canary_shifted_as_well(
    tmp_path: Path, swept: Swept, make_report: MakeReport
) -> None:
    swept("a", {8: 1000.0})
    sung = swept("b", {8: 1300.0}, at_s=600, seed=2)
    assert verdicts(compare_sides(tmp_path / "runs", "a", "b")) == [Verdict.SLOWER]
    for record in sung.read_records():
        assert record.report is not None
        noise = record.report.noise.model_copy(update={"canary_ns": (12, 12, 12)})
        report = record.report.model_copy(update={"noise": noise})
        sung.write_record(record.model_copy(update={"result": report}))
    assert verdicts(compare_sides(tmp_path / "runs", "a", "b")) == [Verdict.UNRESOLVED]


@pytest.mark.parametrize(
    ("versions", "builds", "said"),
    [
        (("2.13.0+cpu", "2.13.0+cu126"), ("", ""), "numpy is a CPU build in A and a CUDA build in B"),
        (("2.13.0", "2.13.0"), ("USE_CUDA=0,", "USE_CUDA=ON,"), "numpy is a CPU build in A and a CUDA build in B"),
        (
            ("2.21.0", "2.21.0"),
            ("{'is_cuda_build': True}", "{'is_cuda_build': False}"),
            "numpy is a CUDA build in A and a CPU build in B",
        ),
        (("2.13.0+cpu", "2.14.0+cpu"), ("", ""), ""),
        (("2.13.0+cpu", "2.13.0"), ("", ""), ""),
    ],
)
def test_different_builds_of_a_framework_are_named(
    tmp_path: Path,
    make_cell: MakeCell,
    make_record: Callable[..., JobRecord],
    make_report: MakeReport,
    make_run: MakeRun,
    versions: tuple[str, str],
    builds: tuple[str, str],
    said: str,
) -> None:
    for name, version, build in zip("ab", versions, builds, strict=True):
        report = make_report(versions={"numpy": version}, build_info=build)
        make_run(name, [make_record(make_cell(), block, result=report) for block in range(1, 9)], 600 * (name == "b"))
    compared = compare_sides(tmp_path / "runs", "-a", "-b")
    assert compared.builds == ((said,) if said else ())
    warned = " ".join(describe_basis(compared))
    assert ("Warning: not the same build: " in warned) == bool(said)
    assert ("Warning: not the same software: " in warned) == (versions[0] != versions[1])


def test_on_another_machine_ratios_are_observed_and_nothing_is_claimed(tmp_path: Path, swept: Swept) -> None:
    swept("a")
    swept("b", seed=2, host=HOST.model_copy(update={"cpu": "another CPU"}))
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert compared.ground == "on different machines"
    assert compared.machines == ("cpu a CPU is now another CPU",)
    assert set(verdicts(compared)) == {None}
    assert compare_sides(tmp_path / "runs", "a", "b", at_face_value=True).ground == "at face value"


def test_other_packages_are_named_and_may_be_what_is_compared(tmp_path: Path, swept: Swept) -> None:
    old = HOST.model_copy(update={"packages": {"numpy": "1.0"}, "installed": {"numpy": "a", "scipy": "a"}})
    new = HOST.model_copy(update={"packages": {"numpy": "2.0"}, "installed": {"numpy": "b", "scipy": "b"}})
    swept("a", host=old)
    swept("b", at_s=600, seed=2, host=new)
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert compared.ground == "one after the other"
    assert compared.software == ("numpy 1.0 is now 2.0", "scipy has the same version but is another build")


def test_runs_whose_blocks_took_turns_are_compared_block_by_block(tmp_path: Path, swept: Swept) -> None:
    swept("a", step_s=20)
    swept("b", {8: 1100.0}, at_s=10, step_s=20, seed=2)
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert compared.ground == "side by side"
    assert verdicts(compared) == [Verdict.SLOWER]


def test_environments_of_one_run_are_compared_block_by_block(
    tmp_path: Path, make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun
) -> None:
    old, new = (make_cell(environment=name) for name in ("numpy@1", "numpy@2"))
    run = make_run("both", make_records([(old, 1000), (new, 900)]))
    compared = compare_sides(tmp_path / "runs", "both@numpy@1", "both@numpy@2")
    assert compared.ground == "side by side"
    assert (compared.before.name, compared.after.name) == (f"{run.name}@numpy@1", f"{run.name}@numpy@2")
    assert verdicts(compared) == [Verdict.FASTER]


def test_a_run_with_several_environments_has_to_be_told_which(
    tmp_path: Path, make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun, swept: Swept
) -> None:
    cells = [(make_cell(environment=name), 1000.0) for name in ("old", "new")]
    make_run("both", make_records(cells))
    swept("one")
    with pytest.raises(UsageError, match=r"the same cells in several environments; name .*both@new or .*both@old"):
        compare_sides(tmp_path / "runs", "both", "one")
    with pytest.raises(UsageError, match=r"unknown environment of .*both 'older'; did you mean old"):
        compare_sides(tmp_path / "runs", "both@older", "one")


def test_cells_whose_software_stayed_the_same_speak_for_the_machine(
    tmp_path: Path,
    make_cell: MakeCell,
    make_records: MakeRecords,
    make_run: MakeRun,
    make_report: Callable[..., Report],
) -> None:
    """Slow every torch cell by another factor, and leave two cells of NumPy unchanged."""
    cells = [make_cell("torch:eager", batch=batch) for batch in (1, 2, 4)] + [
        make_cell(batch=batch) for batch in (1, 2)
    ]
    before = [(cell, 1000.0) for cell in cells]
    after = [(cell, ns) for cell, ns in zip(cells, (1100.0, 1200.0, 1300.0, 1000.0, 1000.0), strict=True)]
    make_run("a", [of_version(record, "2.12") for record in make_records(before, noise=0.001)])
    make_run("b", [of_version(record, "2.13") for record in make_records(after, noise=0.001, seed=2)], 600)
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert compared.software == ("torch 2.12 is now 2.13",)
    assert verdicts(compared)[:3] == [Verdict.SLOWER] * 3
    assert Verdict.FASTER not in verdicts(compared)


def test_cells_that_are_said_not_to_have_changed_speak_for_the_machine(tmp_path: Path, swept: Swept) -> None:
    """Slow two of five cells: each hides the other, unless it is known which cells stayed."""
    swept("a")
    swept("b", TIMES | {8: 1100.0, 16: 2200.0}, at_s=600, seed=2)
    assert Verdict.SLOWER not in verdicts(compare_sides(tmp_path / "runs", "a", "b"))
    told = compare_sides(tmp_path / "runs", "a", "b", unchanged=["rnn"])
    assert verdicts(told)[:2] == [Verdict.SLOWER] * 2
    assert CLAIMS.isdisjoint(verdicts(told)[2:])


def test_fewer_than_two_cells_that_did_not_change_are_too_few(tmp_path: Path, swept: Swept) -> None:
    swept("a")
    swept("b", at_s=600, seed=2)
    with pytest.raises(UsageError, match="--unchanged torch: fewer than 2 measured cells are of that framework"):
        compare_sides(tmp_path / "runs", "a", "b", unchanged=["torch"])


def of_version(record: JobRecord, version: str) -> JobRecord:
    assert record.report is not None
    if record.spec.cell.framework != "torch":
        return record
    report = record.report.model_copy(update={"versions": {"torch": version}})
    return record.model_copy(update={"result": report})


def test_cells_of_one_run_alone_and_cells_not_measured_are_named(
    tmp_path: Path,
    make_cell: MakeCell,
    make_records: MakeRecords,
    make_record: Callable[..., JobRecord],
    make_run: MakeRun,
) -> None:
    cells = [make_cell(batch=batch) for batch in (1, 2, 3)]
    make_run("a", make_records([(cells[0], 1000), (cells[1], 1000), (cells[2], 1000)]))
    make_run("b", [*make_records([(cells[0], 1000)]), make_record(cells[1], outcome="wrong")], 600)
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert len(compared.changes) == 1
    only, wrong = compared.missing
    assert only.endswith("only in 20250101-120000-a")
    assert wrong.endswith("measured in A, wrong in B (because it was wrong)")


def test_cells_with_other_weights_are_not_compared(
    tmp_path: Path, swept: Swept, make_report: Callable[..., Report]
) -> None:
    swept("a")
    run = swept("b", at_s=600)
    for record in run.read_records():
        assert record.report is not None
        other = record.report.model_copy(update={"inputs_sha256": "cd"})
        run.write_record(record.model_copy(update={"result": other}))
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert {change.reason for change in compared.changes} == {"its weights and inputs differ between the two runs"}
    assert set(verdicts(compared)) == {None}


@pytest.mark.parametrize(("is_uneven", "reason"), [(False, ""), (True, "give both runs the same --seed")])
def test_data_of_another_seed_are_compared_unless_they_decide_the_work(
    tmp_path: Path, swept: Swept, *, is_uneven: bool, reason: str
) -> None:
    swept("a")
    run = swept("b", at_s=600)
    for record in run.read_records():
        assert record.report is not None
        other = record.report.model_copy(update={"inputs_sha256": "cd", "is_uneven": is_uneven})
        spec = record.spec.model_copy(update={"seed": record.spec.seed + 1})
        run.write_record(record.model_copy(update={"result": other, "spec": spec}))
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert all(reason in change.reason and bool(reason) == bool(change.reason) for change in compared.changes)


def test_cells_that_were_sampled_otherwise_are_not_compared(tmp_path: Path, swept: Swept) -> None:
    swept("a")
    run = swept("b", at_s=600)
    for record in run.read_records():
        timing = record.spec.timing.model_copy(update={"sample_ns": 20_000_000})
        run.write_record(record.model_copy(update={"spec": record.spec.model_copy(update={"timing": timing})}))
    compared = compare_sides(tmp_path / "runs", "a", "b")
    assert {change.reason for change in compared.changes} == {
        "samples were set to last 1 ms in one process and 20 ms in the other"
    }


def test_a_run_is_not_compared_with_itself_or_with_one_that_shares_nothing(tmp_path: Path, swept: Swept) -> None:
    swept("a")
    swept("b", label="torch:eager")
    with pytest.raises(UsageError, match="a and a are one run; name two"):
        compare_sides(tmp_path / "runs", "a", "a")
    with pytest.raises(UsageError, match="no cell in common"):
        compare_sides(tmp_path / "runs", "a", "b")


def test_runs_whose_code_differs_say_so_and_are_compared_when_asked(
    tmp_path: Path, make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun
) -> None:
    for name, code, call_ns in (("a", "1" * 16, 1000.0), ("b", "2" * 16, 2000.0)):
        cell = make_cell("numpy:eager", workload="mine", code=code)
        records = make_records([(cell, call_ns)], seed=ord(name))
        make_run(name, [started(each, 10 * each.spec.block) for each in records])
    with pytest.raises(UsageError, match="the code of their workloads differs: add --across code"):
        compare_sides(tmp_path / "runs", "a", "b")
    compared = compare_sides(tmp_path / "runs", "a", "b", across=["code"])
    assert verdicts(compared) == [Verdict.SLOWER]
    assert compared.codes == ("mine is 11111111 in A and 22222222 in B",)
    assert f"Not the same code: {compared.codes[0]}." in describe_basis(compared)
    with pytest.raises(UsageError, match=r"unknown difference to compare across 'modes'.*code"):
        compare_sides(tmp_path / "runs", "a", "b", across=["modes"])


def test_a_run_that_does_not_say_when_it_began_is_compared_all_the_same(tmp_path: Path, swept: Swept) -> None:
    swept("a", started="once upon a time")
    swept("b", seed=2)
    assert compare_sides(tmp_path / "runs", "-a", "-b").apart_s is None
