"""Pages that take long are made once for what they show."""

import time

import pytest

from orchestrator.errors import UsageError
from orchestrator.report.server.costly import MAX_KEPT, CostlyPages, KeptPage, is_fresh
from orchestrator.report.server.library import PAUSE_PER_COST


class Made:
    """Counts how often a page is made, which takes some CPU time."""

    def __init__(self, cost_s: float = 0.0) -> None:
        self.count, self.cost_s = 0, cost_s

    def __call__(self) -> str:
        self.count += 1
        began_s = time.thread_time()
        while time.thread_time() - began_s < self.cost_s:
            pass
        return f"page {self.count}"


def test_a_page_is_made_again_only_if_what_it_shows_has_changed() -> None:
    pages, make = CostlyPages(), Made()
    texts = [pages.get_page("key", stamp, make, is_running=False) for stamp in (1, 1, 2, 2, 1)]
    assert texts == ["page 1", "page 1", "page 2", "page 2", "page 3"]
    assert pages.get_page("other", 1, make, is_running=False) == "page 4"


def test_while_a_sweep_runs_a_page_is_shown_as_it_was_for_a_multiple_of_its_cost() -> None:
    pages, make = CostlyPages(), Made(0.1)
    assert pages.get_page("key", 1, make, is_running=True) == "page 1"
    assert pages.get_page("key", 2, make, is_running=True) == "page 1"
    assert pages.get_page("key", 2, make, is_running=False) == "page 2"
    kept = KeptPage("", 1, made_s=0.0, cost_s=2.0)
    assert [is_fresh(kept, now_s) for now_s in (2.0 * PAUSE_PER_COST - 1, 2.0 * PAUSE_PER_COST)] == [True, False]


def test_a_page_that_cannot_be_made_is_tried_again() -> None:
    pages = CostlyPages()

    def fail() -> str:
        raise UsageError("there is none")

    with pytest.raises(UsageError):
        pages.get_page("key", 1, fail, is_running=False)
    assert pages.get_page("key", 1, Made(), is_running=False) == "page 1"


def test_of_many_pages_those_that_were_asked_for_last_are_kept() -> None:
    pages, make = CostlyPages(), Made()
    for number in range(MAX_KEPT + 1):
        pages.get_page(number, 1, make, is_running=False)
    pages.get_page(MAX_KEPT, 1, make, is_running=False)
    assert make.count == MAX_KEPT + 1
    pages.get_page(0, 1, make, is_running=False)
    assert make.count == MAX_KEPT + 2
