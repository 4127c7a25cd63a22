"""Jobs of a run follow each other in its time, and each process has samples of its own that fit into its life."""

import random
from collections.abc import Iterable
from datetime import timedelta

import numpy as np
import pytest

from orchestrator.export.publication.chronology import (
    IntArray,
    find_copied_rows,
    find_copied_samples,
    find_copies,
    find_impossible_times,
    find_long_samples,
    hash_processes,
)
from orchestrator.records.store import job_name
from schemas.record import Extension, JobRecord, Placement
from schemas.sweep import Stop
from tests.orchestrator.conftest import NOON, a_manifest
from tests.orchestrator.export.publication.forging import MODES, measured_records

NOW = NOON + timedelta(days=1)
MANIFEST = a_manifest(MODES)


def at(record: JobRecord, **changes: object) -> JobRecord:
    assert record.outside is not None
    return record.model_copy(update={"outside": record.outside.model_copy(update=changes)})


def test_jobs_that_follow_each_other_are_possible() -> None:
    assert list(find_impossible_times(MANIFEST, measured_records(), NOW)) == []


def test_a_record_that_was_never_started_has_no_time() -> None:
    first, *rest = measured_records()
    assert list(find_impossible_times(MANIFEST, [first.model_copy(update={"outside": None}), *rest], NOW)) == []


@pytest.mark.parametrize(
    ("started", "sentence"),
    [
        ("2025-01-01T11:59:57+00:00", "begins before the run"),
        ("2025-01-02T13:00:01+00:00", "begins in the future"),
        ("soon", "begins at 'soon', which is not a time"),
        ("0001-01-01T00:00:00+00:00", "begins before the run"),
        ("9999-12-31T23:59:59+00:00", "begins in the future"),
    ],
)
def test_a_time_outside_of_the_run_is_named(started: str, sentence: str) -> None:
    first, *rest = measured_records()
    found = list(find_impossible_times(MANIFEST, [at(first, started=started), *rest], NOW))
    assert found[0].endswith(sentence)
    assert found[0].startswith("001-numpy-eager")


def test_a_clock_may_be_corrected_by_a_second() -> None:
    first, *rest = measured_records()
    assert list(find_impossible_times(MANIFEST, [at(first, started="2025-01-01T11:59:59+00:00"), *rest], NOW)) == []


def test_jobs_that_overlap_or_run_backwards_are_named() -> None:
    first, second, *rest = measured_records()
    overlap = at(first, spawn_to_end_ns=30 * 10**9)
    (sentence,) = find_impossible_times(MANIFEST, [overlap, second], NOW)
    assert sentence.startswith("001-torch-eager")
    assert "begins before 001-numpy-eager" in sentence
    endless = at(first, spawn_to_end_ns=(1 << 63) - 1)
    assert len(list(find_impossible_times(MANIFEST, [endless, second, *rest], NOW))) == 1


def test_a_continued_run_makes_up_for_the_jobs_that_its_budget_had_cut() -> None:
    records = measured_records(blocks=3)
    block = [record for record in records if record.spec.block == 2]
    times = [record.outside.started for record in block if record.outside]
    order = (times[0], times[3], times[1], times[2])
    late = [at(record, started=time) for record, time in zip(block, order, strict=True)]
    moved = [record for record in records if record.spec.block != 2] + late
    assert len(list(find_impossible_times(MANIFEST, moved, NOW))) == 1
    extended = MANIFEST.model_copy(update={"extensions": (Extension(when=NOON.isoformat(), stop=Stop(), blocks=1),)})
    assert list(find_impossible_times(extended, moved, NOW)) == []
    long = [at(record, spawn_to_end_ns=6 * 10**9) if record is late[0] else record for record in moved]
    (sentence,) = find_impossible_times(extended, long, NOW)
    assert " begins before " in sentence
    placed = [place(record, "node 1", 1) for record in moved]
    assert len(list(find_impossible_times(extended, placed, NOW))) == 1


def test_a_run_that_begins_in_the_future_or_never_is_named() -> None:
    later = MANIFEST.model_copy(update={"started": "2025-01-03T00:00:00+00:00"})
    assert "the run begins at 2025-01-03T00:00:00+00:00, in the future" in find_impossible_times(later, [], NOW)
    ancient = MANIFEST.model_copy(update={"started": "0001-01-01T00:00:00+00:00"})
    assert list(find_impossible_times(ancient, measured_records(), NOW)) == []
    never = MANIFEST.model_copy(update={"started": ""})
    assert list(find_impossible_times(never, [], NOW)) == ["the manifest begins at '', which is not a time"]


def test_a_copied_process_is_named_with_its_source() -> None:
    first, second, third, *_ = measured_records()
    copied = third.model_copy(update={"result": first.result})
    (sentence,) = find_copied_samples([first, second, copied])
    assert sentence == f"001-{third.spec.cell.id} has the samples of 001-{first.spec.cell.id}, or almost the same"
    assert list(find_copied_samples([first, second, third])) == []


def with_samples(record: JobRecord, samples: Iterable[int]) -> JobRecord:
    assert record.report is not None
    return record.model_copy(update={"result": record.report.model_copy(update={"samples_ns": tuple(samples)})})


def draw(seed: int, count: int, step: int = 1) -> list[int]:
    rng = random.Random(seed)
    return [round(1_300_000 + abs(rng.gauss(0, 3000))) // step * step for _ in range(count)]


@pytest.mark.parametrize("count", [8, 100])
def test_a_copy_with_a_changed_sample_is_still_a_copy(count: int) -> None:
    first, second, *_ = measured_records()
    samples = draw(1, count)
    for copied in (samples, [samples[0] + 1, *samples[1:]], [*samples[: count * 3 // 4], *draw(2, count // 4)]):
        found = list(find_copied_samples([with_samples(first, samples), with_samples(second, copied)]))
        assert len(found) == 1
    assert list(find_copied_samples([with_samples(first, samples), with_samples(second, draw(3, count))])) == []


def test_a_copy_with_every_sample_moved_a_little_is_still_a_copy() -> None:
    first, second, *_ = measured_records()
    samples = draw(1, 100)
    moved = [each + random.Random(each).randint(-50, 50) for each in samples]
    assert len(list(find_copied_samples([with_samples(first, samples), with_samples(second, moved)]))) == 1


def compare_all(samples: IntArray) -> list[tuple[int, int]]:
    """Each row and each later one that is a copy of it, by a full comparison of every pair."""
    return [
        (place, place + 1 + int(other))
        for place, row in enumerate(samples[:-1])
        for other in np.flatnonzero(find_copies(row, samples[place + 1 :]))
    ]


@pytest.mark.parametrize("scale", [1, 10_000])
@pytest.mark.parametrize("step", [1, 100, 10_000])
@pytest.mark.parametrize("count", [3, 8, 19, 20, 21, 100])
def test_the_quick_search_finds_what_a_full_comparison_finds(count: int, step: int, scale: int) -> None:
    rng = random.Random(count + step)
    rows = [draw(seed, count, step) for seed in range(40)]
    for number in range(40):
        source = rows[rng.randrange(len(rows))]
        # From exact copies to what is none any more: a part is new, and the rest is moved.
        kept, moved = rng.randint(count // 3, count), rng.choice((0, 10, 100, 1000))
        rows.append([each + rng.randint(-moved, moved) for each in source[:kept]] + draw(100 + number, count - kept))
    # Of all samples equal to each other, there is no spread.
    rows += [[step] * count, [step] * count, [(1 << 63) - 1 - number for number in range(count)]]
    samples = np.array([[min(scale * each, (1 << 63) - 1) for each in row] for row in rows], dtype=np.int64)
    found = list(find_copied_rows(samples))
    assert found == compare_all(samples)
    assert count < 20 or step > 1 or len(found) > 10


@pytest.mark.parametrize("step", [1, 100, 1000, 10_000])
def test_processes_on_a_coarse_clock_are_no_copies(step: int) -> None:
    records = [with_samples(each, draw(number, 100, step)) for number, each in enumerate(measured_records())]
    assert list(find_copied_samples(records)) == []


def test_two_equal_samples_may_be_chance() -> None:
    first, second, *_ = measured_records()
    assert first.report is not None
    few = first.report.model_copy(update={"samples_ns": (1000, 1001)})
    assert list(find_copied_samples([each.model_copy(update={"result": few}) for each in (first, second)])) == []


def test_processes_are_told_apart_by_their_samples_but_not_by_a_few_that_may_be_equal_by_chance() -> None:
    records = measured_records()
    assert [*hash_processes(records).values()] == [job_name(each.spec) for each in records]
    assert {*hash_processes(records)}.isdisjoint(hash_processes([with_samples(records[0], draw(1, 8))]))
    for samples in ([1000, 1001], [1000] * 50, [1000, 1001] * 50):
        assert hash_processes([with_samples(records[0], samples)]) == {}


def test_samples_that_take_longer_than_their_process_are_named() -> None:
    first, *_ = measured_records()
    assert list(find_long_samples([first])) == []
    (sentence,) = find_long_samples([at(first, spawn_to_end_ns=1000)])
    assert sentence == f"the samples of 001-{first.spec.cell.id} take longer than its process lived"


def place(record: JobRecord, node: str, share: int) -> JobRecord:
    return record.model_copy(update={"placement": Placement(node=node, share=share, attempt=1)})


def test_shares_may_be_measured_side_by_side() -> None:
    records = measured_records()
    last = max(index for index, record in enumerate(records) if record.spec.block == 1)
    long = [at(record, spawn_to_end_ns=60 * 10**9) if index == last else record for index, record in enumerate(records)]
    assert [sentence[:3] for sentence in find_impossible_times(MANIFEST, long, NOW)] == ["002"]
    placed = [place(record, f"node {min(2, record.spec.block)}", min(2, record.spec.block)) for record in long]
    assert list(find_impossible_times(MANIFEST, placed, NOW)) == []


def test_a_block_is_of_one_share() -> None:
    first, second, *rest = measured_records()
    found = list(find_impossible_times(MANIFEST, [place(first, "node 1", 1), place(second, "node 2", 2), *rest], NOW))
    assert any(sentence.endswith("are of one block, but not of one share") for sentence in found)
