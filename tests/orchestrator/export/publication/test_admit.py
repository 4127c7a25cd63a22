"""A publication is admitted if all of it follows from its samples; each forgery has a sentence that refuses it."""

import gzip
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.commands.admit import summarise_decision
from orchestrator.errors import UsageError
from orchestrator.export.publication.admit import decide_admission, decide_all, find_difference
from orchestrator.export.publication.contents import Contents, format_model
from orchestrator.files.atomic import compress_bytes
from orchestrator.records.store import Store
from schemas.event import Setting
from schemas.record import Host, JobRecord
from schemas.sweep import SweepSpec
from tests.orchestrator.conftest import HOST, Said, a_cell
from tests.orchestrator.export.publication.conftest import NOW
from tests.orchestrator.export.publication.forging import (
    BLOCKS,
    MODES,
    OUT_OF_REACH,
    WRONG,
    a_refused,
    clone,
    edit_json,
    forge,
    list_record_files,
    noisy_report,
    put_in_turn,
    read_publication,
    reseal,
    walk_objects,
)

SLOWEST = "torch-eager"


def refusal(folder: Path) -> str:
    decision = decide_admission(folder, NOW)
    assert decision.admitted is None, "it was admitted"
    return decision.refusal


def change(record: JobRecord, **changes: object) -> JobRecord:
    return JobRecord.model_validate(record.model_dump(mode="json") | changes)


def change_report(record: JobRecord, **changes: object) -> JobRecord:
    assert record.report is not None
    return change(record, result=record.report.model_dump(mode="json") | changes)


def end_after(blocks: int, **stop: object) -> dict[str, object]:
    """Changes of a manifest whose run ends after so many blocks."""
    asked = {"blocks": blocks, "precision": OUT_OF_REACH, **stop}
    sweep = SweepSpec.model_validate({"name": "mine", "stop": asked})
    return {"sweep": sweep, "stopped": f"all {blocks} blocks were run"}


def change_first(**changes: object) -> Callable[[list[JobRecord]], list[JobRecord]]:
    return lambda found: [change(found[0], **changes), *found[1:]]


def test_an_untouched_publication_is_admitted_with_its_conclusion(published: Path) -> None:
    decision = decide_admission(published, NOW, within=True)
    assert decision.refusal == ""
    assert decision.admitted is not None
    (group,) = decision.admitted.publication.groups
    assert {cell.label: cell.rank for cell in group.cells} == {
        "numpy:eager": (1, 2),
        "torch:eager": (3, 3),
        "torch:trace": (1, 2),
        "numpy:eager (A/A)": None,
    }
    assert {(each.baseline, each.cell): each.verdict for each in group.comparisons} == {
        ("numpy:eager", "torch:eager"): "SLOWER",
        ("numpy:eager", "torch:trace"): "EQUIVALENT",
        ("torch:eager", "torch:trace"): "FASTER",
    }
    assert decision.admitted.publication.blocks == BLOCKS


def test_a_publication_beside_which_an_index_was_written_is_admitted_without_it(published: Path) -> None:
    (published / ".processes.arrow").write_bytes(b"not even a table")
    decision = decide_admission(published, NOW, within=True)
    assert decision.refusal == ""
    assert decision.admitted is not None
    assert ".processes.arrow" not in decision.admitted.contents.files


# Edits by hand: the hashes are as they were.


def edit_a_sample(folder: Path) -> None:
    path = list_record_files(folder, SLOWEST)[0]
    edit_json(path, lambda said: said["result"]["samples_ns"].__setitem__(0, 1))


def remove_a_record(folder: Path) -> None:
    list_record_files(folder)[3].unlink()


def add_a_file(folder: Path) -> None:
    (folder / "jobs" / "999-more.json.gz").write_bytes(gzip.compress(b"{}"))


def add_an_unknown_file(folder: Path) -> None:
    (folder / "run.sh").write_text("rm -rf ~")


def edit_the_conclusion(folder: Path) -> None:
    edit_json(folder / "publication.json", lambda said: said["groups"][0]["comparisons"][0].update(verdict="FASTER"))


def edit_a_ratio(folder: Path) -> None:
    edit_json(
        folder / "publication.json", lambda said: said["groups"][0]["comparisons"][0]["ratio"].update(estimate=0.9)
    )


def edit_the_manifest(folder: Path) -> None:
    edit_json(folder / "manifest.json", lambda said: said["sweep"].update(margin=0.5))


def edit_the_sweep_file(folder: Path) -> None:
    (folder / "sweep.toml").write_text("seed = 2\n")


def edit_the_page(folder: Path) -> None:
    path = folder / "report.html"
    path.write_text(path.read_text().replace("torch:eager", "torch:fast"))


def rank_the_clone(folder: Path) -> None:
    edit_json(folder / "publication.json", lambda said: said["groups"][0]["cells"][3].update(rank=[1, 1]))


def rank_a_barred_cell(folder: Path) -> None:
    edit_json(folder / "publication.json", lambda said: said["groups"][0]["cells"][1].update(outcome="wrong"))


def add_a_link(folder: Path) -> None:
    (folder / "jobs" / "link.json.gz").symlink_to("/etc/passwd")


def link_the_jobs(folder: Path) -> None:
    shutil.move(folder / "jobs", folder.parent / "elsewhere")
    (folder / "jobs").symlink_to(folder.parent / "elsewhere")


def add_a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "jobs" / "pipe.json.gz")


def add_a_huge_file(folder: Path) -> None:
    with (folder / "report.html").open("ab") as file:
        file.truncate(65 << 20)


def replace_a_record_by_a_bomb(folder: Path) -> None:
    list_record_files(folder)[0].write_bytes(compress_bytes(bytes(65 << 20)))
    reseal(folder)


def replace_a_record_by_text(folder: Path) -> None:
    list_record_files(folder)[0].write_bytes(compress_bytes(b"hello"))
    reseal(folder)


def replace_a_record_by_a_list(folder: Path) -> None:
    list_record_files(folder)[0].write_bytes(compress_bytes(b"[[]]"))
    reseal(folder)


def nest_deeply(folder: Path) -> None:
    list_record_files(folder)[0].write_bytes(compress_bytes(b"[" * 100_000))
    reseal(folder)


def cut_a_record(folder: Path) -> None:
    path = list_record_files(folder)[0]
    path.write_bytes(path.read_bytes()[:-20])
    reseal(folder)


def add_a_field(folder: Path) -> None:
    edit_json(list_record_files(folder)[0], lambda said: said.update(note="x"))
    reseal(folder)


def lead_out_of_the_folder(folder: Path) -> None:
    edit_json(
        folder / "publication.json",
        lambda said: said["files"].update({"../../secret": {"sha256": "0" * 64, "size_bytes": 1}}),
    )


def edit_the_summary(folder: Path) -> None:
    edit_json(list_record_files(folder)[0], lambda said: said["summary"].update(fastest_ns=1.0))
    reseal(folder)


def rename_a_record(folder: Path) -> None:
    first = list_record_files(folder)[0]
    first.rename(first.with_name(f"009{first.name[3:]}"))
    reseal(folder)


def name_another_type(folder: Path) -> None:
    edit_json(folder / "publication.json", lambda said: said.update(machine="00000000"))


def name_another_fingerprint(folder: Path) -> None:
    edit_json(folder / "publication.json", lambda said: said.update(fingerprint="00000000"))


def describe_another_machine(folder: Path) -> None:
    edit_json(folder / "publication.json", lambda said: said["machine_type"].update(cpu="a faster CPU"))


def swap_the_code_in_the_description(folder: Path) -> None:
    edit_json(folder / "publication.json", lambda said: said.update(code="0" * 64))


def reseal_the_sweep_file(folder: Path) -> None:
    edit_the_sweep_file(folder)
    reseal(folder)


def reseal_the_page(folder: Path) -> None:
    edit_the_page(folder)
    reseal(folder)


def reseal_the_manifest(folder: Path) -> None:
    edit_the_manifest(folder)
    reseal(folder)


def write_a_key_twice(name: str) -> Callable[[Path], None]:
    """Let a document begin with a value that its parser reads over."""

    def edit(folder: Path) -> None:
        path = list_record_files(folder)[0] if name == "jobs" else folder / name
        content = path.read_bytes()
        plain = gzip.decompress(content) if name == "jobs" else content
        key = plain.split(b'"')[1]
        twice = plain.replace(b"{\n", b'{\n "%s": "/home/alice",\n' % key, 1)
        path.write_bytes(compress_bytes(twice) if name == "jobs" else twice)
        if name != "publication.json":
            reseal(folder)
            rewrite_the_description(folder)

    return edit


def rewrite_the_description(folder: Path) -> None:
    (folder / "publication.json").write_bytes(format_model(read_publication(folder)))


def name_the_original(folder: Path) -> None:
    path = list_record_files(folder)[0]
    packed = io.BytesIO()
    with gzip.GzipFile("/home/alice/secret.json", "wb", fileobj=packed, mtime=0) as file:
        file.write(gzip.decompress(path.read_bytes()))
    path.write_bytes(packed.getvalue())
    reseal(folder)


def append_a_member(folder: Path) -> None:
    path = list_record_files(folder)[0]
    path.write_bytes(path.read_bytes() + gzip.compress(b"", mtime=0))
    reseal(folder)


def remove_the_description(folder: Path) -> None:
    (folder / "publication.json").unlink()


def write_no_json(folder: Path) -> None:
    (folder / "publication.json").write_text("not JSON")


def write_infinity(folder: Path) -> None:
    (folder / "publication.json").write_text('{"name": NaN}')


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (edit_a_sample, "is not the file that was published: its hash differs"),
        (remove_a_record, "jobs/001-torch-trace-mlp-backward-b1-"),
        (add_a_file, "jobs/999-more.json.gz is not among the files of publication.json; remove it"),
        (add_an_unknown_file, "'run.sh' is no file of a publication; remove it"),
        (edit_the_conclusion, "groups.0.comparisons.0.verdict is FASTER, and should be SLOWER"),
        (edit_a_ratio, "groups.0.comparisons.0.ratio.estimate is 0.9, and should be 1."),
        (edit_the_manifest, "manifest.json is not the file that was published"),
        (edit_the_sweep_file, "sweep.toml is not the file that was published"),
        (edit_the_page, "report.html is not the file that was published"),
        (rank_the_clone, "groups.0.cells.3.rank"),
        (rank_a_barred_cell, "torch:eager is wrong, and publication.json ranks it"),
        (add_a_link, "'link.json.gz' is a symbolic link, which no publication has"),
        (link_the_jobs, "'jobs' is a symbolic link, which no publication has"),
        (add_a_pipe, "'pipe.json.gz' is a special file, which no publication has"),
        (add_a_huge_file, "'report.html' is too large: a file has at most 64 MiB"),
        (replace_a_record_by_a_bomb, "holds more than 64 MiB"),
        (replace_a_record_by_text, "is not JSON"),
        (replace_a_record_by_a_list, "is not valid: the whole"),
        (nest_deeply, "is not JSON"),
        (cut_a_record, "is not one complete gzip file"),
        (add_a_field, "is not valid: note"),
        (lead_out_of_the_folder, "publication.json is not valid: files.../../secret"),
        (edit_the_summary, "the summary of jobs/001-numpy-eager-mlp-backward-b1-"),
        (rename_a_record, "holds the record of 001-numpy-eager-mlp-backward-b1-"),
        (name_another_type, "publication.json names another type of machine than the manifest"),
        (name_another_fingerprint, "publication.json names another fingerprint than the manifest"),
        (describe_another_machine, "publication.json names another type of machine than the manifest"),
        (swap_the_code_in_the_description, "publication.json names another code than the manifest"),
        (reseal_the_sweep_file, "sweep.toml is not the sweep of the manifest"),
        (reseal_the_page, "report.html is not the page of its records"),
        (reseal_the_manifest, "the manifest was edited: its sweep, seed or cells"),
        (write_a_key_twice("jobs"), "is not written as Plumbline writes it; publish the run again"),
        (write_a_key_twice("manifest.json"), "manifest.json is not written as Plumbline writes it"),
        (write_a_key_twice("publication.json"), "publication.json is not written as Plumbline writes it"),
        (name_the_original, "is not compressed as Plumbline does it: its header holds more than it needs"),
        (append_a_member, "is not one complete gzip file"),
        (remove_the_description, "publication.json is missing"),
        (write_no_json, "publication.json is not JSON"),
        (write_infinity, "publication.json is not JSON"),
    ],
)
def test_an_edited_file_is_refused_with_its_own_sentence(
    published: Path, edit: Callable[[Path], None], sentence: str
) -> None:
    edit(published)
    assert sentence in refusal(published)


# Forgeries: everything that follows from an edit is made anew.


def of_type(cpu: str) -> dict[str, Any]:
    return HOST.model_dump(mode="json") | {"cpu": cpu}


def copy_a_process(found: list[JobRecord]) -> list[JobRecord]:
    """Let the second block have the samples of the first."""
    of_cell = [record for record in found if record.spec.cell == found[0].spec.cell]
    assert of_cell[0].report is not None
    samples = of_cell[0].report.samples_ns
    noise = of_cell[0].report.noise.model_dump(mode="json")
    return [
        change_report(record, samples_ns=samples, noise=noise) if record is of_cell[1] else record for record in found
    ]


def slow_down_the_clone(found: list[JobRecord]) -> list[JobRecord]:
    return [
        change(record, result=noisy_report(record.spec.block, 1200)) if record.spec.cell.replica else record
        for record in found
    ]


def scatter_the_clone(found: list[JobRecord]) -> list[JobRecord]:
    """Let the clone be 5 to 40 % slower in all blocks but one, in which it is much faster."""
    factors = (0.6, 1.05, 1.1, 1.15, 1.2, 1.25, 0.7, 1.4)
    return [
        change(record, result=noisy_report(record.spec.block, 1000 * factors[record.spec.block - 1]))
        if record.spec.cell.replica
        else record
        for record in found
    ]


def scale_the_samples(found: list[JobRecord]) -> list[JobRecord]:
    """Let the slowest mode be a third faster."""
    return [
        change_report(each, samples_ns=[sample * 2 // 3 for sample in each.report.samples_ns])
        if SLOWEST in each.spec.cell.id and each.report
        else each
        for each in found
    ]


def hide_a_wrong_result(found: list[JobRecord]) -> list[JobRecord]:
    """Count a process as measured whose results the judge has found wrong."""
    return [change_report(found[0], **WRONG), *found[1:]]


def relabel(outcome: str, **changes: object) -> Callable[[list[JobRecord]], list[JobRecord]]:
    """Let the slowest mode fail in its first block, and leave out its others."""

    def edit(found: list[JobRecord]) -> list[JobRecord]:
        first = next(each for each in found if SLOWEST in each.spec.cell.id)
        rest = [each for each in found if SLOWEST not in each.spec.cell.id]
        return [*rest, change(first, outcome=outcome, **changes)]

    return edit


def reverse_the_order(found: list[JobRecord]) -> list[JobRecord]:
    """Exchange the times of two jobs."""
    one, other = found[0].outside, found[5].outside
    assert one is not None
    assert other is not None
    changed = {0: other, 5: one}
    return [
        change(record, outside=changed[place].model_dump(mode="json")) if place in changed else record
        for place, record in enumerate(found)
    ]


def start_at(when: str) -> Callable[[list[JobRecord]], list[JobRecord]]:
    def edit(found: list[JobRecord]) -> list[JobRecord]:
        assert found[0].outside is not None
        return [change(found[0], outside=found[0].outside.model_dump(mode="json") | {"started": when}), *found[1:]]

    return edit


def repeat_until_good(found: list[JobRecord]) -> list[JobRecord]:
    """Keep a second attempt at a job that was measured."""
    spec = found[0].spec.model_dump(mode="json") | {"attempt": 2}
    return [*found, change(found[0], spec=spec, result=noisy_report(77, 900))]


def hide_an_attempt(found: list[JobRecord]) -> list[JobRecord]:
    return [change(found[0], spec=found[0].spec.model_dump(mode="json") | {"attempt": 2}), *found[1:]]


def leave_out(part: str, *blocks: int) -> Callable[[list[JobRecord]], list[JobRecord]]:
    return lambda found: [
        each
        for each in found
        if not (part in each.spec.cell.id and each.spec.block in blocks and not each.spec.cell.replica)
    ]


def leave_out_the_clone(found: list[JobRecord]) -> list[JobRecord]:
    return [each for each in found if not each.spec.cell.replica]


def disclose(**changes: object) -> Callable[[list[JobRecord]], list[JobRecord]]:
    return lambda found: [change_report(found[0], **changes), *found[1:]]


def set_variable(found: list[JobRecord]) -> list[JobRecord]:
    spec = found[0].spec.model_dump(mode="json") | {"variables": {"SSH_AUTH_SOCK": "x"}}
    return [change(found[0], spec=spec), *found[1:]]


def load_a_plug_in(found: list[JobRecord]) -> list[JobRecord]:
    return [change(found[0], spec=found[0].spec.model_dump(mode="json") | {"module": "fast.numpy"}), *found[1:]]


def measure_own_code(found: list[JobRecord]) -> list[JobRecord]:
    return [change(found[0], spec=found[0].spec.model_dump(mode="json") | {"source_dir": "code/mlp"}), *found[1:]]


def call_less_often(found: list[JobRecord]) -> list[JobRecord]:
    return [change(found[0], spec=found[0].spec.model_dump(mode="json") | {"loop": 2}), *found[1:]]


def ask_otherwise(**spec: object) -> Callable[[list[JobRecord]], list[JobRecord]]:
    """Change what the first job was asked for."""
    return lambda found: [change(found[0], spec=found[0].spec.model_dump(mode="json") | spec), *found[1:]]


def exchange_two_turns(found: list[JobRecord]) -> list[JobRecord]:
    """Exchange the places of two jobs and their times, so that each begins after the one before it."""
    first, second, *rest = found
    assert first.outside is not None
    assert second.outside is not None
    times = (second.outside.started, first.outside.started)
    return [
        change(
            each,
            spec=each.spec.model_dump(mode="json") | {"position": 1 - each.spec.position},
            outside=(each.outside.model_dump(mode="json") if each.outside else {}) | {"started": time},
        )
        for each, time in zip((first, second), times, strict=True)
    ] + rest


def ignore_a_setting(found: list[JobRecord]) -> list[JobRecord]:
    settings = [Setting(name="threads", asked="1", got="8").model_dump()]
    return [change_report(found[0], settings=settings), *found[1:]]


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (copy_a_process, "002-numpy-eager-mlp-backward-b1-"),
        (slow_down_the_clone, "its A/A clone is SLOWER: the instrument finds a difference where there is none"),
        (scatter_the_clone, "its A/A clone is UNRESOLVED with a ratio of 1.1"),
        (scale_the_samples, "was not measured so: its samples last "),
        (hide_a_wrong_result, "counts as measured, and its report says wrong"),
        (relabel("unsupported"), "counts as unsupported, and its report says measured"),
        (relabel("wrong"), "counts as wrong, and its report says measured"),
        (relabel("unsupported", result=None), "although its process ended by itself after its last phase"),
        (ignore_a_setting, "counts as measured, and its report says unfair"),
        (reverse_the_order, "ends"),
        (start_at("2024-12-31T23:00:00+00:00"), "begins before the run"),
        (start_at("2030-01-01T00:00:00+00:00"), "begins in the future"),
        (start_at("yesterday"), "begins at 'yesterday', which is not a time"),
        (repeat_until_good, "repeats a job that had an outcome"),
        (hide_an_attempt, "an attempt before 001-numpy-eager"),
        (leave_out(SLOWEST, 3), "has no record in block 3"),
        (leave_out(SLOWEST, *range(1, BLOCKS + 1)), "has no record in block 1"),
        (leave_out(SLOWEST, BLOCKS), f"has no record in block {BLOCKS}"),
        (leave_out_the_clone, "has no record in block 1"),
        (change_first(host=of_type("a faster CPU")), "was measured on another type of machine"),
        (change_first(host=of_type("a CPU") | {"governor": "performance"}), "was measured with another fingerprint"),
        (disclose(notes=["see /home/alice/model.py"]), "discloses an absolute path in result.notes.0"),
        (disclose(notes=["ask alice@example.org"]), "discloses an e-mail address in result.notes.0"),
        (disclose(warnings=["~/models is slow"]), "discloses a path in a home folder in result.warnings.0"),
        (disclose(build_info="password=hunter2x"), "discloses a token in result.build_info"),
        (disclose(build_info="built at http://ci.intern.example/1"), "discloses an address in result.build_info"),
        (set_variable, "discloses the environment variable SSH_AUTH_SOCK"),
        (disclose(build_info="x" * 20_001), "has a text of 20001 characters in result.build_info"),
        (load_a_plug_in, "ran code of the plug-in fast.numpy, which is not published"),
        (measure_own_code, "ran code that is not published"),
        (ask_otherwise(cpus=[]), "was measured on 0 cores, and its machine and its threads make that 1"),
        (ask_otherwise(cpus=[0, 1]), "was measured on 2 cores, and its machine and its threads make that 1"),
        (ask_otherwise(seed=5), "was run with seed 5, and its manifest says "),
        (ask_otherwise(deadline_s=9.0), "was run with deadline 9.0, and its manifest says 120.0"),
        (exchange_two_turns, "has the place 1 in its block, and the seed of its run gives it the place 0"),
        (call_less_often, "called the model 2 times, which is not what its workload says"),
    ],
)
def test_a_forgery_is_refused_with_its_own_sentence(
    published: Path, edit: Callable[[list[JobRecord]], list[JobRecord]], sentence: str
) -> None:
    assert sentence in refusal(forge(published, edit))


def test_a_copied_process_is_named_with_the_one_that_it_copies(published: Path) -> None:
    sentence = refusal(forge(published, copy_a_process))
    assert " has the samples of 001-numpy-eager-mlp-backward-b1-" in sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"finished": False}, "its run is unfinished"),
        ({"seed": 65}, "was run with seed "),
        ({"environments": {}}, "was measured in the environment current, which the manifest lacks"),
        ({"mixed": ("numpy 1.0 is now 2.0",)}, "its run is mixed"),
        ({"started": "2031-01-01T00:00:00+00:00"}, "in the future"),
        ({"cells": (*MODES[:2], clone(MODES[0]))}, "is of a cell that the manifest does not have"),
        ({"cells": (*MODES, clone(MODES[0]), MODES[1])}, "the manifest has a cell twice"),
        ({"host": Host.model_validate(of_type("another CPU"))}, "was measured on another type of machine"),
        ({"cells": (*MODES, clone(MODES[0]), a_cell(code="x/../../y"))}, "are not the code that was measured"),
        ({"warnings": ("see C:\\Users\\alice",)}, "manifest.json discloses an absolute path in warnings.0"),
    ],
)
def test_a_forged_manifest_is_refused_with_its_own_sentence(
    published: Path, changes: dict[str, object], sentence: str
) -> None:
    assert sentence in refusal(forge(published, manifest=changes))


def test_a_code_that_this_program_does_not_know_is_refused(published: Path) -> None:
    identity = Store(published).read_manifest().identity
    assert identity is not None
    forged = forge(published, manifest={"identity": identity.model_copy(update={"code": "ab" * 32})})
    assert refusal(forged) == "the code that measured it is unknown: abababababababab"


def test_a_run_without_any_clone_is_refused(published: Path) -> None:
    forged = forge(published, lambda found: put_in_turn(leave_out_the_clone(found), MODES), {"cells": MODES})
    assert "it has no A/A clone" in refusal(forged)


def test_a_clone_that_failed_while_its_original_was_measured_is_refused(published: Path) -> None:
    def fail(found: list[JobRecord]) -> list[JobRecord]:
        kept = [each for each in found if not each.spec.cell.replica]
        return [*put_in_turn(kept, MODES), a_refused(clone(MODES[0]), "unsupported")]

    assert refusal(forge(published, fail)) == "numpy:eager was measured, and its A/A clone was not"


def test_a_clone_of_too_few_blocks_is_refused(published: Path) -> None:
    forged = forge(published, lambda found: [each for each in found if each.spec.block <= 2], end_after(2))
    assert "its A/A clone has no interval: 2 blocks are too few" in refusal(forged)


def test_an_undecided_clone_within_the_margin_is_admitted(published: Path) -> None:
    def scatter(found: list[JobRecord]) -> list[JobRecord]:
        return [
            change(each, result=noisy_report(each.spec.block, 1000 * (1.04 if each.spec.block % 2 else 0.965)))
            if each.spec.cell.replica
            else each
            for each in found
        ]

    decision = decide_admission(forge(published, scatter), NOW)
    assert decision.refusal == ""
    assert decision.admitted is not None
    (clones,) = [group.clone for group in decision.admitted.publication.groups]
    assert clones is not None
    assert clones.verdict == "UNRESOLVED"


@pytest.mark.parametrize("stopped", ["the budget of 96 s was used up", f"all {BLOCKS} blocks were run"])
def test_only_a_spent_budget_cuts_the_last_block(published: Path, stopped: str) -> None:
    changes = end_after(BLOCKS, budget=96) | {"stopped": stopped}
    decision = decide_admission(forge(published, leave_out(SLOWEST, BLOCKS), changes), NOW)
    assert (decision.admitted is not None) == stopped.startswith("the budget")


def test_a_mode_cannot_be_left_out_of_a_run_that_its_budget_ended(published: Path) -> None:
    changes = end_after(BLOCKS, budget=96) | {"stopped": "the budget of 96 s was used up"}
    forged = forge(published, leave_out(SLOWEST, *range(1, BLOCKS + 1)), changes)
    assert "has no record in block 1" in refusal(forged)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "the manifest says that all 8 blocks were run, and its records end with block 5"),
        (
            {"stopped": "the budget of 300 s was used up"},
            "the manifest says that the budget of 300 s was used up, and its records end after ",
        ),
        (
            {"stopped": "every ratio to the baseline is known to ±2 %"},
            "the run ended because 'every ratio to the baseline is known to ±2 %', and its records do not say so",
        ),
        ({"stopped": ""}, "the run ended because '', and its records do not say so"),
    ],
)
def test_the_last_blocks_cannot_be_cut_off(published: Path, changes: dict[str, object], sentence: str) -> None:
    forged = forge(published, lambda found: [each for each in found if each.spec.block <= 5], changes)
    assert sentence in refusal(forged)


def test_a_folder_of_another_name_or_type_is_refused(published: Path) -> None:
    elsewhere = published.parent.with_name("00000000")
    shutil.copytree(published.parent, elsewhere)
    decisions = {each.folder.parent.name: each.refusal for each in decide_all(published.parents[1], NOW)}
    assert decisions[published.parent.name] == ""
    assert "it lies in 00000000, and its machine is of type" in decisions["00000000"]
    renamed = published.rename(published.with_name("20200101-000000-00000000-mine"))
    assert refusal(renamed) == f"its folder should be named {published.name}"


def test_a_link_to_a_publication_is_refused(published: Path, tmp_path: Path) -> None:
    link = tmp_path / published.name
    link.symlink_to(published)
    assert "it is a symbolic link" in refusal(link)


def test_a_link_in_the_place_of_a_type_of_machine_is_refused(published: Path, tmp_path: Path) -> None:
    results = published.parents[1]
    elsewhere = published.parent.rename(tmp_path / "elsewhere")
    (results / published.parent.name).symlink_to(elsewhere)
    (results / "00000000").symlink_to(tmp_path / "nothing")
    (results / "README.md").symlink_to(__file__)
    decisions = list(decide_all(results, NOW))
    assert [decision.folder.name for decision in decisions] == ["00000000", published.parent.name]
    for decision in decisions:
        assert decision.refusal == "it is a symbolic link, which no publication has; copy the folder itself"


@pytest.mark.parametrize("value", [10**400, -1, 1.7e308, (1 << 63) - 1, "x", None, [], {}])
@pytest.mark.parametrize("place", ["samples_ns", "warmup", "calls", "overhead", "noise"])
def test_values_that_no_machine_measures_are_refused_without_a_traceback(
    published: Path, place: str, value: object
) -> None:
    edit_json(list_record_files(published)[0], lambda said: said["result"].__setitem__(place, value))
    reseal(published)
    assert "jobs/001-numpy-eager" in refusal(published)


@pytest.mark.parametrize("extreme", [1, (1 << 63) - 1])
def test_extreme_samples_never_end_in_a_traceback(published: Path, extreme: int) -> None:
    def stretch(found: list[JobRecord]) -> list[JobRecord]:
        assert found[0].report is not None
        return [change_report(found[0], samples_ns=[extreme] * len(found[0].report.samples_ns)), *found[1:]]

    try:
        forged = forge(published, stretch)
    except (ArithmeticError, ValueError):
        return  # not even the forger can analyse it
    assert decide_admission(forged, NOW).admitted is None


def test_no_folder_and_an_empty_folder_are_mistakes_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        list(decide_all(tmp_path / "none", NOW))
    with pytest.raises(UsageError, match="holds no publication"):
        list(decide_all(tmp_path, NOW))


def test_a_figure_may_differ_in_its_last_digit_and_no_further(published: Path) -> None:
    stated = read_publication(published)
    (group,) = stated.groups
    estimate = group.cells[0].time_ns.estimate
    assert estimate is not None

    def scaled(factor: float) -> str:
        time = group.cells[0].time_ns.model_copy(update={"estimate": estimate * factor})
        cells = (group.cells[0].model_copy(update={"time_ns": time}), *group.cells[1:])
        return find_difference(
            stated.model_copy(update={"groups": (group.model_copy(update={"cells": cells}),)}), stated
        )

    assert scaled(1 + 1e-5) == ""
    assert scaled(1 + 1e-4).startswith("groups.0.cells.0.time_ns.estimate is ")


def test_the_command_prints_a_line_for_each_and_exits_with_1_if_one_is_refused(
    published: Path, inside: Callable[..., Said]
) -> None:
    good = inside("admit", str(published))
    assert (good.code, good.err) == (0, "")
    assert good.out == f"admitted: {published}: 8 blocks, 1 computation, machine type {published.parent.name}\n"
    shutil.copytree(published, published.with_name("bad"))
    both = inside("admit", str(published.parents[1]))
    assert both.code == 1
    assert [line.partition(":")[0] for line in both.out.splitlines()] == ["admitted", "refused"]
    document = json.loads(inside("admit", str(published.parents[1]), "--json").out)
    assert [each["admitted"] for each in document["publications"]] == [True, False]
    assert document["publications"][1]["reason"] == f"its folder should be named {published.name}"
    none = inside("admit", "nowhere")
    assert (none.code, none.out) == (2, "")
    assert none.err == "error: there is no folder nowhere; name a publication, or a folder of publications\n"


def test_the_command_holds_no_publication_once_it_has_decided_on_it(published: Path) -> None:
    (decision,) = decide_all(published, NOW)
    kept = [*walk_objects(summarise_decision(decision))]
    assert not [each for each in kept if isinstance(each, Contents | JobRecord | bytes)]
