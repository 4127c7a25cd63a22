"""A machine's findings on a terminal and as a document."""

import io
import json
from collections import ChainMap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from orchestrator.machine.activity import BusyProcess
from orchestrator.machine.doctor import Facts, examine_machine
from orchestrator.machine.findings import Finding, Severity, report_fine, report_note, report_unfit, report_warning
from orchestrator.report.machine import (
    build_findings_document,
    build_fitness_document,
    count_by_severity,
    format_gravest,
    name_hashes,
    show_findings,
    show_fitness,
    summarise_host,
)
from schemas.record import Host
from tests.orchestrator.machine.test_doctor import IDEAL, TROUBLES, facts

FINE = report_fine("a", "All is well.")


NOTE = report_note("b", "It is turbo.", "Turn it off.")


WARNING = report_warning("c", "It is busy.", "End the others.")


UNFIT = report_unfit("d", "It has no disk.", "Buy one.")


def draw(findings: list[Finding]) -> list[str]:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    show_findings(console, findings)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("findings", "text"),
    [
        ([], "nothing to report"),
        ([FINE], "nothing to report"),
        ([NOTE], "1 note"),
        ([UNFIT, NOTE, NOTE, FINE], "1 problem, 2 notes"),
        ([WARNING, WARNING, UNFIT, UNFIT], "2 problems, 2 warnings"),
    ],
)
def test_findings_are_counted_by_severity_the_gravest_first(findings: list[Finding], text: str) -> None:
    assert count_by_severity(findings) == text


def test_a_finding_is_a_line_with_its_advice_below_it_unless_all_is_well() -> None:
    assert draw([FINE, WARNING]) == [
        "fine    All is well.",
        "warning It is busy.",
        "        → End the others.",
        "",
        "Verdict: fit with reservations (1 warning)",
    ]


def test_what_a_machine_says_of_itself_cannot_command_the_terminal() -> None:
    nasty = Finding(Severity.WARNING, "x", "\x1b[2J[red]It[/] is.", "\x07Do.")
    text = "\n".join(draw([nasty]))
    assert not {"\x1b", "\x07"} & set(text)
    assert "[red]It[/] is." in text


@given(st.lists(st.sampled_from([FINE, NOTE, WARNING, UNFIT]), max_size=6))
def test_the_document_has_every_finding_in_order_and_the_verdict(findings: list[Finding]) -> None:
    said = build_findings_document(findings)
    assert [each["about"] for each in said["findings"]] == [finding.about for finding in findings]
    assert said["verdict"] == (
        "unfit" if UNFIT in findings else "fit with reservations" if WARNING in findings else "fit"
    )


@pytest.mark.parametrize(("cores", "text"), [(1, "1 usable core"), (2, "2 usable cores")])
def test_a_machine_is_one_sentence(host: Host, cores: int, text: str) -> None:
    one = host.model_copy(update={"cores": cores})
    assert summarise_host(one) == f"a CPU, {text}, 1.0 GiB, Linux, Python 3.11.0; {name_hashes(one)}"


def printed(judged: Facts) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    show_fitness(console, judged.host, examine_machine(judged))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def worst() -> Facts:
    """Return a machine with all troubles at once, the later and graver of each kind."""
    troubles = [trouble for trouble in reversed(TROUBLES) if trouble[3] != "fine"]
    host = ChainMap(*(dict(machine) for machine, *_ in troubles))
    now = ChainMap(*(dict(moment) for _, moment, *_ in troubles))
    return facts(host, now, unready=frozenset({"torch"}))


def test_the_whole_fits_eighty_columns_however_much_there_is_to_say() -> None:
    text = printed(worst())
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[-1].startswith("Verdict: unfit (6 problems, ")


def test_the_terminal_has_advice_where_there_is_something_to_do_and_only_there() -> None:
    text = " ".join(printed(facts({"governor": "powersave"})).split())
    assert text.count("→") == 1
    assert "warning The frequency governor is powersave: a core slows down while it idles. → Change it" in text
    assert text.endswith("Verdict: fit with reservations (1 warning)")
    assert printed(facts()).endswith("Verdict: fit (nothing to report)\n")


def test_a_machine_is_summed_up_with_the_hash_of_its_fingerprint() -> None:
    said = summarise_host(IDEAL)
    assert said == (f"Intel(R) Fast, 4 usable cores, 16.0 GiB, Linux, Python 3.11.0; {name_hashes(IDEAL)}")


def test_a_process_cannot_write_to_the_terminal_by_its_name() -> None:
    nasty = (BusyProcess("\x1b[2J[red]x[/]", 5, 1.0),)
    text = printed(facts(now={"others_cores": 1.0, "busiest": nasty}))
    assert "\x1b" not in text
    assert "[red]x[/]" in text


def test_the_document_has_every_finding_and_every_fact() -> None:
    judged = worst()
    findings = examine_machine(judged)
    said = json.loads(json.dumps(build_fitness_document(judged.host, judged.now, findings), allow_nan=False))
    assert said["verdict"] == "unfit"
    assert [each["about"] for each in said["findings"]] == [finding.about for finding in findings]
    assert said["findings"][-1].keys() == {"severity", "about", "what", "advice"}
    assert Host.model_validate(said["host"]).content_hash == said["fingerprint"]
    assert said["now"]["clock"] == {"cost_ns": 0, "step_ns": None}


@pytest.mark.parametrize(
    ("findings", "line"),
    [
        ([], ""),
        ([FINE, NOTE], ""),
        ([FINE, NOTE, WARNING], "warning: It is busy"),
        ([WARNING, UNFIT], "warning: It has no disk (1 more from: python -m orchestrator doctor)"),
        ([WARNING, WARNING, UNFIT, UNFIT], "warning: It has no disk (3 more from: python -m orchestrator doctor)"),
    ],
)
def test_the_gravest_finding_is_one_line_and_a_machine_that_is_fit_has_none(findings: list[Finding], line: str) -> None:
    assert format_gravest(findings) == line
