"""Sentences claim what the numbers support, and no more."""

import dataclasses
import math
import random
import re
from collections.abc import Callable

import pytest

from orchestrator.analysis import groups
from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.results import Group
from orchestrator.analysis.standings import Standing
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import join_names
from orchestrator.report.sentences import (
    describe_claim,
    describe_clone,
    describe_fastest,
    describe_group,
    format_framework,
    list_deprecations,
)
from orchestrator.report.summary import write_notes
from schemas.catalog import FRAMEWORKS, Framework
from schemas.event import Report
from schemas.job import INT8, Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]

NO_INTERVAL = Interval(0.5, 0, math.inf)


def comparison(verdict: Verdict, ratio: Interval | None = None) -> Comparison:
    ratio = ratio or Interval(0.5, 0.4, 0.6)
    return Comparison(
        baseline="torch:eager",
        cell="torch:script",
        blocks=3,
        ratio=ratio,
        typical_ratio=ratio,
        p=0.01,
        significant=True,
        verdict=verdict,
    )


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (comparison(Verdict.FASTER), "takes 0.500 times as long as X (0.400 to 0.600): faster"),
        (comparison(Verdict.SLOWER, Interval(2, 1.9, 2.1)), "takes 2.000 times as long as X (1.900 to 2.100): slower"),
        (
            comparison(Verdict.DIFFERENT_BUT_SMALL, Interval(0.99, 0.985, 0.995)),
            "takes 0.990 times as long as X (0.985 to 0.995): a real difference, but estimated too small to matter",
        ),
        (comparison(Verdict.EQUIVALENT, Interval(1, 0.99, 1.01)), "is as fast as X (ratio 0.990 to 1.010)"),
        (
            comparison(Verdict.UNRESOLVED, Interval(1, 0.9, 1.1)),
            "cannot be told apart from X by this run (0.900 to 1.100)",
        ),
        (
            comparison(Verdict.UNRESOLVED, NO_INTERVAL),
            "cannot be told apart from X by this run (too few processes for an interval: 3 each)",
        ),
        (
            comparison(Verdict.UNRESOLVED, Interval(1.1, 1.09, 1.12)),
            "took 1.100 times as long as X (1.090 to 1.120), but disturbances may be the cause",
        ),
        (
            dataclasses.replace(
                comparison(Verdict.UNRESOLVED, Interval(1.1, 1.09, 1.12)), undisturbed=Interval(1.1, 0.98, 1.12)
            ),
            "took 1.100 times as long as X (1.090 to 1.120; with room for disturbances, 0.980 to 1.120), but "
            "disturbances may be the cause",
        ),
        (
            dataclasses.replace(
                comparison(Verdict.SLOWER, Interval(1.1, 1.09, 1.12)), undisturbed=Interval(1.1, 1.05, 1.13)
            ),
            "takes 1.100 times as long as X (1.090 to 1.120; with room for disturbances, 1.050 to 1.130): slower",
        ),
        (
            dataclasses.replace(
                comparison(Verdict.SLOWER, Interval(1.1, 1.09, 1.12)), undisturbed=Interval(1.1, 1.09001, 1.12)
            ),
            "takes 1.100 times as long as X (1.090 to 1.120): slower",
        ),
        (
            dataclasses.replace(comparison(Verdict.UNRESOLVED, Interval(1.1, 1.09, 1.12)), significant=False),
            "took 1.100 times as long as X (1.090 to 1.120), but 3 processes each are not enough evidence for this "
            "number of pairs",
        ),
        (
            comparison(Verdict.ESTIMATOR_DEPENDENT),
            "is faster than X by one estimator and slower by the other: no claim",
        ),
    ],
)
def test_each_verdict_has_its_sentence(found: Comparison, sentence: str) -> None:
    assert describe_claim(found, "X") == sentence


@pytest.mark.parametrize("verdict", Verdict)
def test_only_a_claim_says_faster_or_slower(verdict: Verdict) -> None:
    said = describe_claim(comparison(verdict), "X").endswith((": faster", ": slower"))
    assert said is (verdict in (Verdict.FASTER, Verdict.SLOWER))


@pytest.fixture
def found(make_cell: MakeCell, make_records: MakeRecords, make_record: MakeRecord) -> Group:
    """Return two modes of torch, the second twice as fast, TensorFlow between, one wrong, one refused, one not run."""
    eager, trace, flow = make_cell("torch:eager"), make_cell("torch:trace"), make_cell("tensorflow:eager")
    wrong, refused, late = make_cell("synthetic:wrong"), make_cell("numpy:eager"), make_cell("synthetic:spin")
    twin = eager.model_copy(update={"replica": 1})
    records = make_records([(eager, 2000), (trace, 1000), (flow, 1500), (twin, 2000)])
    records += [make_record(wrong, outcome="wrong", call_ns=1), make_record(refused, outcome="unsupported")]
    (group,) = groups.group_results(records, [eager, trace, flow, wrong, refused, late, twin])
    return group


def test_the_fastest_is_named_with_its_time(found: Group) -> None:
    assert re.fullmatch(r"torch:trace is the fastest, at (99\d ns|1\.00 µs) per call\.", describe_group(found)[0])


def test_a_tie_for_the_first_place_is_called_a_tie(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("torch:eager"), make_cell("torch:trace"), make_cell("torch:script")]
    records = make_records([(cells[0], 1000), (cells[1], 1001), (cells[2], 3000)], noise=0.05)
    said = " ".join(describe_fastest(groups.group_results(records, cells)[0]))
    assert "this run cannot tell it apart from" in said
    assert "torch:script" not in said
    assert "is the fastest" not in said


def test_a_leader_by_order_alone_is_not_called_the_fastest(found: Group) -> None:
    standings = (Standing(cell="torch:eager", best=2, worst=2, tied_with=()), *found.standings[1:])
    said = " ".join(describe_fastest(dataclasses.replace(found, standings=standings)))
    assert "torch:eager is the fastest" not in said


def test_a_compiled_mode_is_set_against_the_mode_that_it_has_to_beat(found: Group) -> None:
    (sentence,) = (said for said in describe_group(found) if said.startswith("PyTorch: "))
    assert re.fullmatch(r"PyTorch: trace takes 0\.[45]\d+ times as long as eager \(.*\): faster\.", sentence)


TITLES = {
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "jax": "JAX",
    "keras": "Keras",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "litert": "LiteRT",
    "executorch": "ExecuTorch",
    "iree": "IREE",
    "tract": "tract",
    "numpy": "NumPy",
    "numba": "Numba",
    "tinygrad": "tinygrad",
    "synthetic": "synthetic",
}


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
def test_sentences_call_a_framework_by_its_title(
    make_cell: MakeCell, make_records: MakeRecords, framework: Framework
) -> None:
    # A mode in 8 bits is compared with no other precision.
    alike = [mode for mode in framework.modes if not mode.name.startswith(INT8)]
    compiled = next((mode for mode in alike if mode.sibling), alike[0])
    names = dict.fromkeys((compiled.sibling or compiled.name, compiled.name))
    cells = [make_cell(f"{framework.name}:{name}") for name in names]
    (group,) = groups.group_results(make_records([(cell, 1000 / (1 + n)) for n, cell in enumerate(cells)]), cells)
    assert {format_framework(result) for result in group.results} == {TITLES[framework.name]}
    about = [said for said in describe_group(group) if said.startswith(f"{TITLES[framework.name]}: {compiled.name} ")]
    assert len(about) == len(names) - 1


def test_a_framework_that_is_no_longer_installed_is_called_by_its_name(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cell = make_cell("stranger:eager", environment="stranger@1.5")
    (group,) = groups.group_results(make_records([(cell, 1000)]), [cell])
    assert format_framework(group.results[0]) == "stranger"


def test_frameworks_are_compared_by_the_best_mode_of_each(found: Group) -> None:
    (sentence,) = (said for said in describe_group(found) if said.startswith("Between frameworks: "))
    assert re.fullmatch(
        r".*: tensorflow:eager takes 1\.[45]\d+ times as long as torch:trace \(.*\): slower\.", sentence
    )


def test_a_wrong_cell_is_named_and_in_no_comparison(found: Group) -> None:
    about = [said for said in describe_group(found) if "synthetic:wrong" in said]
    assert about == ["synthetic:wrong is not ranked (wrong): because it was wrong."]


def test_cells_without_a_measurement_are_named_with_the_reason(found: Group) -> None:
    said = describe_group(found)
    assert "numpy:eager is not ranked (unsupported): because it was unsupported." in said
    assert "synthetic:spin was not run." in said


def thawing(seconds: int) -> list[tuple[int, int]]:
    """Return a warm-up whose calls take 21 times as long at first, and less with each second; one per cent noise.

    Laps take ten milliseconds each, and `seconds` together.
    """
    rng = random.Random(1)
    levels = [1e6 * (1 + 20 * math.exp(-lap / 100)) for lap in range(100 * seconds)]
    return [(calls := max(1, round(1e7 / ns)), round(calls * ns * rng.gauss(1, 0.01))) for ns in levels]


@pytest.mark.parametrize(("seconds", "said"), [(1, True), (3, True), (30, False)])
def test_a_cell_that_was_still_getting_faster_as_its_warm_up_ended_is_said_not_to_be_steady(
    make_cell: MakeCell, make_record: MakeRecord, make_report: Callable[..., Report], seconds: int, said: bool
) -> None:
    cell, report = make_cell(), make_report(warmup=thawing(seconds))
    (group,) = groups.group_results([make_record(cell, block, result=report) for block in range(1, 5)], [cell])
    label = "numpy:eager: most processes did not become steady during warm-up."
    assert (label in describe_group(group)) is said


def test_what_is_true_of_several_cells_is_said_once(found: Group) -> None:
    results = tuple(dataclasses.replace(each, steadiness="mixed") for each in found.results)
    said = describe_group(dataclasses.replace(found, results=results))
    (sentence,) = [each for each in said if "in the same way" in each]
    assert sentence.startswith("torch:eager, torch:trace")
    assert sentence.endswith(": fewer than nine in ten processes became steady in the same way.")


def test_ranks_say_how_many_blocks_they_need_where_a_run_has_fewer(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    labels = ("torch:eager", "torch:trace", "torch:script", "tensorflow:function", "tensorflow:eager")
    times = [(make_cell(label), 1000 * (1 + place)) for place, label in enumerate(labels)]
    few = "Ranks rest on the 5 pairs that were compared. All 10 pairs of modes need 9 blocks; this run has 8."
    for blocks, said in ((8, [few]), (9, [])):
        (group,) = groups.group_results(make_records(times, blocks=blocks), [cell for cell, _ in times])
        assert [sentence for sentence in describe_group(group) if sentence.startswith("Ranks")] == said
        assert [note for note in write_notes([group, group]) if note.startswith("Ranks")] == said
        (group,) = groups.group_results(make_records(times, blocks=blocks), [cell for cell, _ in times], compared="all")
        assert not any(sentence.startswith("Ranks") for sentence in describe_group(group))


def test_long_calls_on_a_shared_machine_are_said_to_be_bounded_by_cpu_time(found: Group) -> None:
    shared = tuple(dataclasses.replace(each, bounded_by_cpu_time=True) for each in found.results[:2])
    group = dataclasses.replace(found, results=(*shared, *found.results[2:]))
    (sentence,) = [each for each in describe_group(group) if "time slice" in each]
    assert sentence.startswith("torch:eager, torch:trace: calls are longer than a time slice")
    assert any("between CPU time and wall time" in note for note in write_notes([group]))
    assert not any("time slice" in each for each in describe_group(found))


def test_blocks_that_could_not_be_compared_are_told_once_with_all_their_pairs(found: Group) -> None:
    first, second, *others = found.comparisons
    alike = [dataclasses.replace(each, reason="3 blocks are not compared: x") for each in (first, second)]
    said = describe_group(dataclasses.replace(found, comparisons=(*alike, *others)))
    assert [sentence for sentence in said if "not compared" in sentence] == [
        "torch:eager and torch:trace, torch:eager and tensorflow:eager: 3 blocks are not compared: x."
    ]


def test_an_honest_instrument_finds_no_difference_where_there_is_none(found: Group) -> None:
    (sentence,) = (said for said in describe_group(found) if said.startswith("A/A check"))
    assert "torch:eager compared with itself is " in sentence
    assert sentence.endswith("as it should be.")


@pytest.mark.parametrize(
    ("verdict", "ratio", "end"),
    [
        (Verdict.EQUIVALENT, Interval(1, 0.99, 1.01), "as it should be."),
        (Verdict.UNRESOLVED, Interval(1.1, 0.8, 1.5), "too imprecise to show that the two are equal."),
        (Verdict.UNRESOLVED, Interval(1, 0, math.inf), "are too few for an interval."),
        (Verdict.UNRESOLVED, Interval(1.7, 1.5, 1.9), "distrust differences of this size in this run."),
        (Verdict.SLOWER, Interval(1.7, 1.5, 1.9), "distrust differences of this size in this run."),
    ],
)
def test_an_a_a_check_is_as_it_should_be_only_if_it_is(
    found: Group, verdict: Verdict, ratio: Interval, end: str
) -> None:
    assert found.clone is not None
    clone = dataclasses.replace(found.clone, verdict=verdict, ratio=ratio)
    (sentence,) = describe_clone(dataclasses.replace(found, clone=clone))
    assert sentence.endswith(end)
    assert ("FAILED" in sentence) == (verdict is Verdict.SLOWER)


def test_a_difference_between_a_cell_and_itself_is_called_false(found: Group) -> None:
    false = dataclasses.replace(found, clone=comparison(Verdict.FASTER))
    (sentence,) = describe_clone(false)
    assert "itself is FASTER" in sentence
    assert "a false claim: distrust" in sentence


def test_what_is_deprecated_upstream_is_said_once(found: Group) -> None:
    (note,) = list_deprecations(found.results * 2)
    assert note == "Note: PyTorch 2.11 deprecated TorchScript for torch.compile and torch.export."


def test_of_a_mode_that_is_not_known_here_nothing_is_said(found: Group) -> None:
    cell = found.results[0].cell.model_copy(update={"framework": "elsewhere"})
    assert list_deprecations([dataclasses.replace(found.results[0], cell=cell)]) == []


def test_before_anything_was_run_nothing_is_claimed(make_cell: MakeCell) -> None:
    (group,) = groups.group_results([], [make_cell("torch:eager"), make_cell("torch:trace")])
    assert describe_group(group) == ["torch:eager and torch:trace were not run."]


def test_names_are_listed_as_people_list_them() -> None:
    assert [join_names(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a or b", "a, b or c"]


def test_results_that_a_framework_was_the_judge_of_say_so_and_what_that_leaves_open(
    make_cell: MakeCell, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    cell = make_cell()
    plain = make_record(cell)
    judged = make_record(cell, result=make_report(verification={"checks": (), "referee": "torch"}))
    for record, said in ((plain, 0), (judged, 1)):
        (group,) = groups.group_results([record], [cell])
        found = [sentence for sentence in describe_group(group) if "not that the formulas are right" in sentence]
        assert len(found) == said
        assert all(sentence.startswith("Results are checked against torch:eager in float64") for sentence in found)


def test_models_of_two_frameworks_are_each_checked_against_their_own(
    make_cell: MakeCell, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    cells = [make_cell("torch:eager"), make_cell("jax:jit")]
    records = [
        make_record(cell, result=make_report(verification={"checks": (), "referee": cell.framework})) for cell in cells
    ]
    (group,) = groups.group_results(records, cells)
    assert group.referee == "torch and jax"
    (said,) = [sentence for sentence in describe_group(group) if "not that the formulas are right" in sentence]
    assert said.startswith("Results are checked against torch:eager and jax:eager in float64")
    assert said.endswith("torch:eager and jax:eager are only checked against themselves.")


def versions(make_cell: MakeCell, make_records: MakeRecords) -> Group:
    cells = [
        make_cell(f"tensorflow:{mode}", environment=f"tensorflow@{version}")
        for version in ("2.20", "2.21")
        for mode in ("eager", "function")
    ]
    (group,) = groups.group_results(make_records(list(zip(cells, (2000, 1000, 1500, 1002), strict=True))), cells)
    return group


def test_each_mode_is_compared_between_its_versions(make_cell: MakeCell, make_records: MakeRecords) -> None:
    said = [each for each in describe_group(versions(make_cell, make_records)) if each.startswith("Between ")]
    assert len(said) == 2
    assert said[0].startswith("Between environments: tensorflow@2.21:eager takes 0.7")
    assert said[0].endswith("): faster.")
    assert " times as long as tensorflow@2.20:eager (" in said[0]
    assert said[1].startswith("Between environments: tensorflow@2.21:function is as fast as tensorflow@2.20:function (")


def test_each_mode_is_compared_between_variants_of_one_thing(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [
        make_cell(f"torch:{mode}", workload="old+new", variant=variant, code=variant)
        for variant in ("old", "new")
        for mode in ("eager", "script")
    ]
    (group,) = groups.group_results(make_records(list(zip(cells, (2000, 1000, 1500, 1002), strict=True))), cells)
    said = [each for each in describe_group(group) if each.startswith("Between ")]
    assert said[0].startswith("Between variants: torch:eager new takes 0.7")
    assert said[1].startswith("Between variants: torch:script new is as fast as torch:script old (")


def test_what_compiling_did_is_said_of_each_version_by_itself(make_cell: MakeCell, make_records: MakeRecords) -> None:
    said = [each for each in describe_group(versions(make_cell, make_records)) if each.startswith("TensorFlow ")]
    assert [each.partition(": ")[0] for each in said] == ["TensorFlow 2.20", "TensorFlow 2.21"]
    assert all("function takes 0." in each and "as long as eager (" in each and "): faster" in each for each in said)


def test_a_baseline_that_was_not_measured_moves_no_ratio_unsaid(
    make_cell: MakeCell, make_record: MakeRecord, make_records: MakeRecords
) -> None:
    first, second = make_cell("torch:eager"), make_cell("torch:trace")
    records = [make_record(first, outcome="wrong"), *make_records([(second, 1000.0)])]
    (moved,) = groups.group_results(records, [first, second])
    said = "torch:eager is the baseline of this sweep and was not measured, so ratios are to torch:trace."
    assert said in describe_group(moved)
    assert said in write_notes([moved])
    (asked,) = groups.group_results(records, [second, first], "torch:eager")
    assert said in describe_group(asked)
    (stays,) = groups.group_results(records, [first, second], "torch:trace")
    assert not any("is the baseline" in each for each in describe_group(stays))


def test_memory_that_calls_keep_is_said(make_cell: MakeCell, make_records: MakeRecords) -> None:
    (group,) = groups.group_results(make_records([(make_cell("torch:eager"), 1000.0)]), [make_cell("torch:eager")])
    assert not any("memory grows" in each for each in (*describe_group(group), *write_notes([group])))
    grown = dataclasses.replace(group.results[0], growth_bytes=1 << 19)
    growing = dataclasses.replace(group, results=(grown,))
    said = "torch:eager: memory grows by 0.5 MiB a call; something keeps its results."
    assert said in describe_group(growing)
    assert said in write_notes([growing])


def test_variants_are_compared_with_the_first_mode_by_mode_and_other_data_is_said(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell(label, variant=name) for name in ("old", "new") for label in ("torch:eager", "torch:trace")]
    (group,) = groups.group_results(make_records([(cell, 1000.0 * (1 + n)) for n, cell in enumerate(cells)]), cells)
    said = [each for each in describe_group(group) if each.startswith("Between variants: ")]
    assert [re.sub(r" takes .*", "", each) for each in said] == [
        "Between variants: torch:eager new",
        "Between variants: torch:trace new",
    ]
    assert not any("different weights or inputs" in each for each in describe_group(group))
    other = dataclasses.replace(group.results[2], inputs_sha256="cd")
    mixed = dataclasses.replace(group, results=(*group.results[:2], other, group.results[3]))
    assert "torch:eager new and torch:eager old had different weights or inputs." in describe_group(mixed)


def test_cells_that_share_a_reason_are_named_together(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cells = [make_cell(label) for label in ("torch:eager", "torch:trace", "jax:jit")]
    records = [make_record(cell, outcome="raised", reason="reference.py has no shapes") for cell in cells]
    (group,) = groups.group_results(records, cells)
    assert (
        "torch:eager, torch:trace and jax:jit are not ranked (raised): reference.py has no shapes."
        in describe_group(group)
    )
