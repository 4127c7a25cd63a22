"""An order that turns round between types of machine is said wherever results are shown."""

import html
import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.records.store import Store
from orchestrator.report.json_document import build_run_document
from orchestrator.report.nodes.types import describe_run_turnarounds
from orchestrator.report.page.page import render_page
from orchestrator.report.terminal import show_other_types
from schemas.record import JobRecord, Placement
from tests.orchestrator.conftest import HOST, a_cell

CELLS = (a_cell("numpy:eager"), a_cell("synthetic:spin"))
SENTENCE = re.compile(
    r"The order turns round: synthetic:spin over numpy:eager is FASTER on type [0-9a-f]{8} \(0\.7.*\) and SLOWER on "
    r"type [0-9a-f]{8} \(1\.[23].*\)\."
)


@pytest.fixture
def turning(make_run: Callable[..., Store], make_records: Callable[..., list[JobRecord]]) -> Run:
    """A run on two types of machine: the second mode is slower on one, and faster on the other."""
    first, second = CELLS
    small = make_records([(first, 1000), (second, 1300)])
    large = make_records([(first, 1000), (second, 700)])
    records = [
        record.model_copy(
            update={
                "spec": record.spec.model_copy(update={"block": record.spec.block + offset}),
                "host": HOST.model_copy(update={"cpu": cpu}),
                "placement": Placement(node=node, share=share, attempt=1),
            }
        )
        for of_type, offset, cpu, node, share in (
            (small, 0, HOST.cpu, "n1", 1),
            (large, len(small) // 2, "a larger CPU", "n2", 2),
        )
        for record in of_type
    ]
    return Run.from_store(make_run("turning", records))


def test_the_terminal_the_page_and_the_document_have_the_order_that_turns_round(turning: Run) -> None:
    (said,) = describe_run_turnarounds(turning)
    console = Console(file=io.StringIO(), width=1000)
    show_other_types(console, turning)
    assert isinstance(console.file, io.StringIO)
    assert said in console.file.getvalue()
    assert said in html.unescape(render_page(turning))
    assert build_run_document(turning)["turnarounds"] == [said]
    assert SENTENCE.fullmatch(said), said


def test_a_run_on_one_type_of_machine_has_no_order_that_turns_round(turning: Run) -> None:
    (other,) = turning.others
    assert describe_run_turnarounds(other) == []
