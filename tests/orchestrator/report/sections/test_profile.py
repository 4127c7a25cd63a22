"""Profiles in tables and as data: counts of what a call consists of, or why there are none."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.report.sections.profile import build_profile_tables, format_profile, profiles_to_list
from schemas.artefact import Artefact
from schemas.event import Profiled
from schemas.job import Cell, Profile
from schemas.record import JobRecord

MakeProfile = Callable[..., JobRecord]


@pytest.fixture
def make_profile(make_record: Callable[..., JobRecord], make_cell: Callable[..., Cell]) -> MakeProfile:
    """Return a function that makes a cell's profile with these counts; None: it failed."""

    def make(label: str, counts: dict[str, float] | None, **changes: object) -> JobRecord:
        job = make_record(make_cell(label, **changes))
        assert job.outside is not None
        trace = Artefact(path="/runs/trace.json", sha256="ab", size_bytes=3)
        made = None if counts is None else Profiled(trace=trace, calls=10, counts=counts, versions={}, phases=())
        return JobRecord(
            spec=job.spec.model_copy(update={"purpose": Profile(path="/runs/trace.json")}),
            outcome="unsupported" if counts is None else "profiled",
            reason="it has no profiler" if counts is None else "",
            result=made,
            outside=job.outside,
            host=job.host,
        )

    return make


def draw(records: list[JobRecord]) -> list[str]:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    for table in build_profile_tables(records):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_counts_stand_before_their_names(make_profile: MakeProfile) -> None:
    assert (
        format_profile(make_profile("torch:eager", {"dispatches": 5.0, "kernels": 2.5})) == "5 dispatches, 2.5 kernels"
    )


def test_a_cell_without_a_profile_says_why(make_profile: MakeProfile) -> None:
    assert format_profile(make_profile("numpy:eager", None)) == "unsupported: it has no profiler"


def test_cells_that_compute_the_same_share_a_table(make_profile: MakeProfile) -> None:
    lines = draw(
        [
            make_profile("torch:eager", {"dispatches": 5}),
            make_profile("numpy:eager", None),
            make_profile("torch:eager", {"dispatches": 7}, batch=2),
        ]
    )
    titles = [line for line in lines if line.startswith("Profile of a call: ")]
    assert len(titles) == 2
    assert "batch 2" in " ".join(lines)
    rows = [line for line in lines if line.startswith(("torch:", "numpy:"))]
    assert [row.split()[:2] for row in rows] == [
        ["torch:eager", "5"],
        ["numpy:eager", "unsupported:"],
        ["torch:eager", "7"],
    ]


def test_a_count_cannot_command_the_terminal(make_profile: MakeProfile) -> None:
    assert "\x1b" not in "".join(draw([make_profile("torch:eager", {"\x1b[2J": 1})]))


def test_as_data_a_profile_has_its_counts_and_the_path_of_its_trace(make_profile: MakeProfile) -> None:
    good, failed = make_profile("torch:eager", {"dispatches": 5}), make_profile("numpy:eager", None)
    one, other = profiles_to_list([good, failed])
    assert one == {
        "cell": good.spec.cell.id,
        "label": "torch:eager",
        "outcome": "profiled",
        "reason": "",
        "counts": {"dispatches": 5},
        "trace": "/runs/trace.json",
    }
    assert (other["outcome"], other["reason"], other["counts"], other["trace"]) == (
        "unsupported",
        "it has no profiler",
        None,
        None,
    )


def test_without_profiles_there_is_no_table() -> None:
    assert list(build_profile_tables([])) == []
    assert profiles_to_list([]) == []
