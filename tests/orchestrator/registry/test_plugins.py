"""Entries that installed distributions add: merged in order, and refused with the name of who added them."""

import re
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint

import pytest

from orchestrator.errors import UsageError
from orchestrator.registry.plugins import describe_origin, format_kind, load_entry, merge_entries
from schemas.catalog import Framework, Mode
from schemas.workloads import Workload

OURS = Workload(name="ours", summary="", parameters=())
MODULE = """
from schemas.catalog import Framework, Mode
from schemas.workloads import Workload

def make(name, module="elsewhere.net"):
    return Workload(name=name, summary="", parameters=(), module=module)

B, A, OURS, NOWHERE = make("b"), make("a"), make("ours"), make("c", module="")
FRAMEWORK = Framework(name="x", package="x", requirement="x", modes=(), module="x.worker", start_s=1)
"""
Point = Callable[[str], EntryPoint]


@pytest.fixture
def point(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Point:
    """Return a function that makes an entry point to an object of a module that only this test can import."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "elsewhere_entries.py").write_text(MODULE)
    (folder / "elsewhere_broken.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(folder)
    return lambda name: EntryPoint(name.lower(), name if ":" in name else f"elsewhere_entries:{name}", "x")


def merge(*points: EntryPoint) -> Mapping[str, Workload]:
    return merge_entries([OURS], points, Workload)


def test_our_own_come_first_and_the_others_by_the_names_of_their_entry_points(point: Point) -> None:
    assert list(merge(point("B"), point("A"))) == ["ours", "a", "b"]


def test_without_entry_points_there_are_our_own() -> None:
    assert merge() == {"ours": OURS}


def test_what_was_merged_cannot_be_changed(point: Point) -> None:
    with pytest.raises(TypeError):
        merge(point("A"))["more"] = OURS  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("OURS", "the entry point ours adds a workload ours, but that name is taken; uninstall it"),
        ("NOWHERE", "elsewhere_entries:NOWHERE is not a workload that names a module; uninstall it"),
        ("FRAMEWORK", "elsewhere_entries:FRAMEWORK is not a workload that names a module; uninstall it"),
        ("make", "elsewhere_entries:make is not a workload that names a module"),
        ("GONE", "adds a workload that cannot be loaded: module 'elsewhere_entries' has no attribute 'GONE'"),
        ("elsewhere_broken:X", "adds a workload that cannot be loaded: no licence; uninstall it"),
        ("elsewhere_missing:X", "adds a workload that cannot be loaded: No module named 'elsewhere_missing'"),
    ],
)
def test_what_cannot_be_added_is_named_with_who_adds_it_and_what_to_do(point: Point, name: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        merge(point(name))


def test_two_that_add_the_same_name_are_a_mistake_of_the_second(point: Point) -> None:
    with pytest.raises(UsageError, match="the entry point b adds a workload b, but that name is taken"):
        merge(point("B"), EntryPoint("a", "elsewhere_entries:B", "x"))


def test_an_entry_of_the_right_kind_is_loaded(point: Point) -> None:
    entry = load_entry(point("FRAMEWORK"), Framework)
    assert (entry.name, entry.module) == ("x", "x.worker")


def test_an_entry_point_without_a_distribution_is_named_itself() -> None:
    assert describe_origin(EntryPoint("mine", "a:B", "x")) == "the entry point mine"


def test_each_kind_has_its_word() -> None:
    assert (format_kind(Framework), format_kind(Workload)) == ("framework", "workload")
    assert Mode(name="x", summary="").module == ""
