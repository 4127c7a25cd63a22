"""The table of support is complete, its pages are made of it, and nothing but a run makes an entry right."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from schemas.record import JobRecord
from tests.benchmarks.support import (
    CLOSING,
    DATA,
    MODES_PAGE,
    NOT_TRIED,
    OPENING,
    PAGE,
    SHOWN_SUITES,
    TASKS,
    CellName,
    Entry,
    Support,
    describe_missing,
    describe_task,
    escape_markdown,
    format_entry,
    format_page,
    format_summary,
    format_support,
    format_versions,
    list_all_workloads,
    list_due_cells,
    list_shown_workloads,
    number_reasons,
    put_summary,
    read_support,
    state_of,
    write_support,
)

MODE = "torch:eager"
RIGHT, WRONG = Entry(outcome="measured"), Entry(outcome="wrong", reason="it differs")
UNTRIED = Entry(outcome=NOT_TRIED, reason="no run yet")
ALL = list_all_workloads()

MakeSupport = Callable[..., Support]
Describe = Callable[[Mapping[str, Entry]], str]


@pytest.fixture(scope="module")
def support() -> Support:
    """The table of this checkout."""
    return read_support()


@pytest.fixture
def make_support() -> MakeSupport:
    """A complete table, whose cells are all right but for these."""

    def make(others: Mapping[CellName, Entry] | None = None) -> Support:
        return Support({MODE: {"torch": "2.0"}}, dict.fromkeys(list_due_cells(), RIGHT) | dict(others or {}))

    return make


@pytest.fixture
def describe(make_support: MakeSupport) -> Describe:
    """Return the summary of the forward pass of a mode whose workloads are right but for these."""

    def tell(others: Mapping[str, Entry]) -> str:
        named = {CellName(MODE, workload, "forward"): entry for workload, entry in others.items()}
        return describe_task(make_support(named), MODE, "forward")

    return tell


# The table of this checkout


def test_every_mode_has_an_entry_for_every_workload_and_task(support: Support) -> None:
    assert describe_missing(support) == ""


def test_no_entry_is_of_a_mode_or_workload_that_does_not_exist(support: Support) -> None:
    assert support.keep_due() == support


def test_every_entry_that_is_not_measured_has_a_reason_and_no_other_has_one(support: Support) -> None:
    assert [
        cell for cell, entry in support.entries.items() if (entry.outcome == "measured") == bool(entry.reason)
    ] == []


def test_no_reason_names_a_folder_of_the_machine_that_ran_it(support: Support) -> None:
    folders = ("/tmp/", "/home/", "/usr/", "/root/", "/srv/", "site-packages/")
    assert [entry for entry in support.entries.values() if any(folder in entry.reason for folder in folders)] == []


def test_every_mode_with_an_entry_from_a_run_has_its_versions(support: Support) -> None:
    run = {cell.mode for cell, entry in support.entries.items() if state_of(entry) in ("right", "failed")}
    assert {mode for mode in run if "python" not in support.versions.get(mode, {})} == set()


def test_the_data_file_is_written_as_the_script_writes_it(support: Support) -> None:
    assert DATA.read_text() == format_support(support), "write it again with `python -m tests.benchmarks.support`"


def test_both_pages_are_made_of_the_data_file(support: Support) -> None:
    advice = "make the pages again with `python -m tests.benchmarks.support`"
    assert PAGE.read_text() == format_page(support), advice
    page = MODES_PAGE.read_text()
    assert put_summary(page, format_summary(support)) == page, advice


# Cells


def test_the_tables_show_every_workload_of_all_suites_once() -> None:
    shown = [workload for suite in SHOWN_SUITES for workload in list_shown_workloads(suite)]
    assert sorted(shown) == ALL


def test_the_table_has_the_modes_of_all_frameworks_but_those_of_tests() -> None:
    frameworks = {cell.mode.partition(":")[0] for cell in list_due_cells()}
    assert "synthetic" not in frameworks
    assert {"torch", "numpy", "iree"} <= frameworks
    assert {cell.task for cell in list_due_cells()} == set(TASKS)


def test_a_cell_without_an_entry_is_named_with_the_commands_that_add_it(make_support: MakeSupport) -> None:
    whole = make_support()
    assert describe_missing(whole) == ""
    lacking = {CellName(MODE, "mlp", "forward"), CellName(MODE, "rnn", "backward")}
    said = describe_missing(Support({}, {cell: RIGHT for cell in whole.entries if cell not in lacking}))
    assert said.startswith("2 cells have no entry in support.json, such as torch:eager mlp forward; ")
    assert "`python -m tests.benchmarks.modes --only torch:eager --workloads mlp,rnn`" in said
    assert "--not-tried REASON" in said


def test_an_entry_from_a_run_replaces_the_one_before(make_support: MakeSupport) -> None:
    cell = CellName(MODE, "mlp", "forward")
    merged = make_support().add_entries({cell: WRONG}, {MODE: {"torch": "2.1"}})
    assert merged.entries[cell] == WRONG
    assert merged.entries[CellName(MODE, "rnn", "forward")] == RIGHT
    assert merged.versions[MODE] == {"torch": "2.1"}


def test_an_entry_not_tried_replaces_none(make_support: MakeSupport) -> None:
    cell = CellName(MODE, "mlp", "forward")
    assert make_support().add_entries({cell: UNTRIED}, {}).entries[cell] == RIGHT
    assert Support({}, {}).add_entries({cell: UNTRIED}, {}).entries[cell] == UNTRIED


def test_entries_of_what_no_longer_exists_are_left_out(make_support: MakeSupport) -> None:
    gone = make_support({CellName("torch:gone", "mlp", "forward"): RIGHT, CellName(MODE, "gone", "forward"): RIGHT})
    kept = Support({**gone.versions, "torch:gone": {}}, gone.entries).keep_due()
    assert kept == make_support()


@pytest.mark.parametrize(
    ("entry", "state"), [(RIGHT, "right"), (WRONG, "failed"), (UNTRIED, "untried"), (None, "untried")]
)
def test_only_a_cell_that_a_run_has_measured_is_right(entry: Entry | None, state: str) -> None:
    assert state_of(entry) == state
    assert (entry is not None and entry.is_right) is (state == "right")


# The data file


def test_the_data_file_has_one_line_a_cell_and_each_reason_once(make_support: MakeSupport) -> None:
    cells = [CellName(MODE, "mlp", "forward"), CellName(MODE, "rnn", "forward")]
    lines = format_support(make_support(dict.fromkeys(cells, WRONG))).splitlines()
    named = [line for line in lines if line.startswith('"torch:eager ')]
    assert len(named) == 2 * len(ALL)
    assert named == sorted(named)
    assert sum("it differs" in line for line in lines) == 1
    assert '"torch:eager autoencoder forward": {"outcome": "measured"},' in lines


def test_what_is_written_is_read_again(make_support: MakeSupport, tmp_path: Path) -> None:
    kinds = (WRONG, UNTRIED)
    table = make_support({CellName(MODE, "mlp", task): kind for kind, task in zip(kinds, TASKS, strict=False)})
    (tmp_path / "support.json").write_text(format_support(table))
    assert read_support(tmp_path / "support.json") == table


def test_without_a_data_file_the_table_is_empty(tmp_path: Path) -> None:
    assert read_support(tmp_path / "support.json") == Support({}, {})


def test_a_reason_that_is_missing_in_the_data_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "support.json"
    path.write_text('{"versions": {}, "reasons": {}, "cells": {"a:b c forward": {"outcome": "wrong", "reason": "12"}}}')
    with pytest.raises(ValueError, match=r"there is no reason '12' in the data file; measure its cells again"):
        read_support(path)


def test_all_three_files_are_written_and_the_rest_of_the_page_stays(make_support: MakeSupport, tmp_path: Path) -> None:
    data, page, modes_page = (tmp_path / name for name in ("support.json", "support.md", "modes.md"))
    modes_page.write_text(f"# Modes\n\n{OPENING}old\n{CLOSING}\nThe rest.\n")
    write_support(make_support(), data, page, modes_page)
    assert read_support(data) == make_support()
    assert page.read_text() == format_page(make_support())
    text = modes_page.read_text()
    assert text.startswith(f"# Modes\n\n{OPENING}\n| mode |")
    assert text.endswith(f"{CLOSING}\nThe rest.\n")
    assert "old" not in text


# The summary


def test_a_mode_that_is_right_on_every_workload_is_right_on_all(describe: Describe) -> None:
    assert describe({}) == "all"


def test_few_exceptions_are_named_with_their_outcomes(describe: Describe) -> None:
    raised = Entry(outcome="raised", reason="no")
    said = describe({"rnn": WRONG, "decode": raised, "tree_lstm": WRONG})
    assert said == "all but `rnn`, `tree_lstm`: wrong; `decode`: raised"


def test_a_mode_with_one_outcome_on_every_workload_has_that_outcome(describe: Describe) -> None:
    assert describe(dict.fromkeys(ALL, Entry(outcome="unsupported", reason="no"))) == "unsupported"


def test_of_a_mode_that_is_right_on_few_workloads_these_are_named(describe: Describe) -> None:
    others = dict.fromkeys(ALL, UNTRIED)
    del others["mlp"], others["gpt"]
    assert describe(others) == "`gpt`, `mlp`; all others: not tried"
    assert describe(others | {"cnn": WRONG}) == "`gpt`, `mlp`; `cnn`: wrong; all others: not tried"


def test_a_cell_without_an_entry_is_not_tried() -> None:
    assert describe_task(Support({}, {}), MODE, "forward") == NOT_TRIED
    assert format_entry(None, {}) == NOT_TRIED


def test_the_summary_counts_each_kind_of_entry(make_support: MakeSupport) -> None:
    cells = list_due_cells()
    said = format_summary(make_support({cells[0]: WRONG, cells[2]: UNTRIED}))
    assert f"{len(cells) - 2:,} are right and 1 have another outcome; 1 are not tried." in said
    whole = format_summary(make_support({cells[0]: WRONG}))
    assert f"Of {len(cells):,} cells, {len(cells) - 1:,} are right and 1 have another outcome." in whole


@pytest.mark.parametrize("page", ["", OPENING, CLOSING, CLOSING + OPENING])
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match=r"the page has no lines .*; put them under a heading"):
        put_summary(page, "")


# The page


def test_the_page_has_an_outcome_for_each_cell_and_a_number_for_its_reason(make_support: MakeSupport) -> None:
    page = format_page(make_support({CellName(MODE, "rnn", "backward"): WRONG}))
    before, _, after = page.partition("## Suite `dynamic`, backward\n")
    row = next(line for line in after.splitlines() if line.startswith("| `torch:eager` |"))
    assert row == "| `torch:eager` | wrong [1](#reasons) | ✓ | ✓ | ✓ | ✓ |"
    assert "wrong [1]" not in before
    assert "\n1. it differs\n" in after


def test_reasons_are_numbered_in_the_order_of_the_tables_and_each_once(make_support: MakeSupport) -> None:
    later = Entry(outcome="raised", reason="another")
    table = make_support(
        {
            CellName(MODE, "matmul", "forward"): later,
            CellName(MODE, "rnn_cell", "forward"): WRONG,
            CellName(MODE, "rnn", "forward"): WRONG,
        }
    )
    assert number_reasons(table) == {"it differs": 1, "another": 2}


def test_modes_with_the_same_versions_share_a_row() -> None:
    found = format_versions(Support({mode: {"torch": "2", "numpy": "1"} for mode in (MODE, "torch:trace")}, {}))
    assert "| `torch:eager`, `torch:trace` | numpy 1, torch 2 |" in found
    assert "none: no run of this table" in found


def test_a_reason_is_shown_as_it_is() -> None:
    assert escape_markdown("a_b [c](d) <e> `f` *g*") == r"a\_b \[c\]\(d) &lt;e> \`f\` \*g\*"


def test_an_outcome_of_a_job_is_an_outcome_of_the_table() -> None:
    outcomes = JobRecord.model_fields["outcome"].annotation
    for outcome in getattr(outcomes, "__args__", ()):
        assert Entry(outcome=outcome, reason="a reason").outcome == outcome
