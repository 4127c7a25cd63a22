"""Sentences, tables and documents of break-evens claim no more than they do."""

import io
import json
import math
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.analysis import groups
from orchestrator.analysis.breakeven import NEVER, BestModes, BreakEven
from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.results import Group
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.report import sentences
from orchestrator.report.sections import breakeven
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]

FASTER, SLOWER = Interval(0.95, 0.94, 0.96), Interval(1.05, 1.04, 1.06)
AFTER, ANY = Interval(359_606, 269_488, 523_808), Interval(math.nan, 1, NEVER)
UNKNOWN = "is not known to break even with torch:eager: its calls are not shown to be faster"


def break_even(calls: Interval = AFTER, verdict: Verdict = Verdict.FASTER, ratio: Interval = FASTER) -> BreakEven:
    steady = Comparison(
        baseline="torch:eager",
        cell="torch:trace",
        blocks=12,
        ratio=ratio,
        typical_ratio=ratio,
        p=0.01,
        significant=True,
        verdict=verdict,
    )
    return BreakEven(mode="torch:trace", other="torch:eager", calls=calls, with_import=calls, steady=steady)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (break_even(), "breaks even with torch:eager after about 360,000 calls (260,000 to 530,000)"),
        (break_even(Interval(256, 241, 271)), "breaks even with torch:eager after about 256 calls (241 to 271)"),
        (break_even(Interval(1, 1, 1)), "is ahead of torch:eager from the first call on"),
        (break_even(Interval(1, 1, 594)), "is ahead of torch:eager after at most 600 calls"),
        (
            break_even(Interval(NEVER, NEVER, NEVER), Verdict.SLOWER, SLOWER),
            "never breaks even with torch:eager: its calls are slower",
        ),
        (
            break_even(Interval(NEVER, 166_500, NEVER), Verdict.EQUIVALENT),
            f"{UNKNOWN}; if it does, it takes at least 160,000 calls",
        ),
        (break_even(AFTER, Verdict.UNRESOLVED), f"{UNKNOWN}; if it does, it takes at least 260,000 calls"),
        (break_even(AFTER, Verdict.ESTIMATOR_DEPENDENT), UNKNOWN),
        (break_even(ANY, Verdict.UNRESOLVED), UNKNOWN),
        (break_even(Interval(NEVER, NEVER, NEVER), Verdict.UNRESOLVED, SLOWER), UNKNOWN),
    ],
)
def test_each_break_even_has_its_sentence(found: BreakEven, sentence: str) -> None:
    assert breakeven.describe_payoff(found) == sentence


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("ratio", [FASTER, SLOWER])
def test_only_a_claim_says_that_it_pays_or_never_does(verdict: Verdict, ratio: Interval) -> None:
    found = break_even(AFTER, verdict, ratio)
    claimed = breakeven.describe_payoff(found).startswith(("breaks even", "never breaks even"))
    assert claimed is (found.steady.claimed_faster is not None)
    assert breakeven.format_break_even(found, found.calls).startswith("not claimed") is not claimed


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (break_even(), "360,000\n(260,000–530,000)"),
        (break_even(Interval(3_456_789, 1_234_567, 98_765_432)), "3.5 million\n(1.2 million–99 million)"),
        (break_even(Interval(1, 1, 1)), "1"),
        (break_even(Interval(240, 1, 594)), "240\n(1–600)"),
        (break_even(Interval(NEVER, NEVER, NEVER), Verdict.SLOWER, SLOWER), "never"),
        (break_even(Interval(NEVER, 63_382, NEVER), Verdict.EQUIVALENT), "not claimed\n(63,000–never)"),
        (break_even(AFTER, Verdict.ESTIMATOR_DEPENDENT), "not claimed"),
        (break_even(ANY, Verdict.UNRESOLVED), "not claimed"),
    ],
)
def test_each_break_even_has_its_place_in_the_table(found: BreakEven, text: str) -> None:
    assert breakeven.format_break_even(found, found.calls) == text


@pytest.fixture
def group(make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport) -> Group:
    """Return three modes of PyTorch and the longest name there is; tracing pays, scripting is as fast as eager."""
    modes = {"torch:eager": (0, 3000), "torch:trace": (10**8, 2000), "torch:script": (10**7, 3000)}
    modes |= {"tensorflow:eager": (0, 50_000), "tensorflow:function": (0, 30_000)}

    def record(label: str, block: int) -> JobRecord:
        compile_ns, call_ns = modes[label]
        took = call_ns + call_ns // 100 * (block * len(label) % 5 - 2) // 10
        walls = {"import": 10**9, "compile": compile_ns, "first_call": took}
        phases = [{"name": name, "wall_ns": wall, "cpu_ns": wall} for name, wall in walls.items()]
        return make_record(make_cell(label), block, result=make_report(took, phases=phases, warmup=((1, took),) * 9))

    records = [record(label, block) for block in range(1, 13) for label in modes]
    (found,) = groups.group_results(records, [make_cell(label) for label in modes])
    return found


def printed(group: Group) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    for table in breakeven.build_tables(group):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_closing_sentences_say_when_each_compiled_mode_has_paid(group: Group) -> None:
    said = {
        sentence.partition(" ")[0]: sentence
        for sentence in sentences.describe_group(group)
        if " to produce its first result " in sentence
    }
    assert said.keys() == {"torch:trace", "torch:script", "tensorflow:function"}
    assert said["torch:trace"].startswith(
        "torch:trace takes 100 ms to produce its first result and breaks even with torch:eager"
    )
    assert "is not known to break even" in said["torch:script"]
    assert said["tensorflow:function"].endswith("is ahead of tensorflow:eager from the first call on.")


def test_the_tables_are_whole_in_80_columns(group: Group) -> None:
    text = printed(group)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    for word in ("tensorflow:function", "not claimed", "never", "1 million"):
        assert word in text


def test_numbers_of_calls_with_the_same_best_modes_share_a_row() -> None:
    eager, trace = ("torch:eager",), ("torch:trace",)
    found = [
        BestModes(1, eager, eager),
        BestModes(10, eager, eager),
        BestModes(100, (*eager, *trace), eager),
        BestModes(1000, trace, (*eager, *trace)),
    ]
    drawn = breakeven.build_best_modes_table(found, 2)
    assert list(drawn.columns[0].cells) == ["1–10", "100", "1,000"]
    assert list(drawn.columns[1].cells) == ["torch:eager", "not told apart", "torch:trace"]
    assert list(drawn.columns[2].cells) == ["torch:eager", "torch:eager", "not told apart"]


def test_where_nothing_is_compiled_there_is_no_table(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cells = [make_cell("numpy:eager"), make_cell("torch:eager")]
    (plain,) = groups.group_results([make_record(cell) for cell in cells], cells)
    assert printed(plain) == ""
    assert list(breakeven.describe_break_evens(plain)) == []


def test_a_run_that_tells_nothing_has_no_table(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cells = [make_cell("torch:eager"), make_cell("torch:trace")]
    (few,) = groups.group_results([make_record(cell) for cell in cells], cells)
    assert printed(few) == ""
    (sentence,) = breakeven.describe_break_evens(few)
    assert "is not known to break even" in sentence


def test_the_document_has_exact_numbers_and_says_never(group: Group) -> None:
    said = json.loads(json.dumps(breakeven.break_evens_to_dict(group), allow_nan=False))
    found = {(each["mode"], each["against"]): each for each in said["break_even"]}
    assert found["torch:trace", "torch:eager"]["payoff"] == "pays"
    assert 90_000 < found["torch:trace", "torch:eager"]["calls"]["estimate"] < 110_000
    assert found["torch:script", "torch:trace"]["calls"] == dict.fromkeys(("estimate", "low", "high"), "never")
    assert found["torch:script", "torch:eager"]["calls"]["high"] == "never"
    assert [each["calls"] for each in said["best_for"]] == [10**power for power in range(7)]
    assert said["best_for"][-1]["modes"] == ["torch:trace"]


def test_what_the_data_do_not_support_is_null() -> None:
    assert breakeven.calls_to_dict(ANY) == {"estimate": None, "low": 1, "high": "never"}
