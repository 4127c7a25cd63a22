"""Findings about a machine, and the words for shares, counts and lists of names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.machine.findings import (
    Finding,
    Fitness,
    Severity,
    format_count,
    format_percent,
    join_names,
    rate_fitness,
    report_fine,
    report_note,
    report_unfit,
    report_warning,
)

FINDINGS = {
    Severity.FINE: report_fine("a", "It is."),
    Severity.NOTE: report_note("a", "It is.", "Do."),
    Severity.WARNING: report_warning("a", "It is.", "Do."),
    Severity.UNFIT: report_unfit("a", "It is.", "Do."),
}


@pytest.mark.parametrize("severity", Severity)
def test_each_kind_of_report_has_its_severity(severity: Severity) -> None:
    assert FINDINGS[severity].severity is severity


def test_where_all_is_well_there_is_nothing_to_do() -> None:
    assert report_fine("x", "It is.") == Finding(Severity.FINE, "x", "It is.", "Nothing to do.")


@given(st.lists(st.sampled_from(list(Severity))))
def test_a_machine_is_as_fit_as_its_gravest_finding_and_the_order_does_not_matter(severities: list[Severity]) -> None:
    found = [FINDINGS[severity] for severity in severities]
    fitness = rate_fitness(found)
    assert rate_fitness(found[::-1]) is fitness
    assert (fitness is Fitness.UNFIT) == (Severity.UNFIT in severities)
    assert (fitness is Fitness.FIT) == ({*severities} <= {Severity.FINE, Severity.NOTE})


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0.0 %"),
        (0.001, "0.1 %"),
        (0.0994, "9.9 %"),
        (0.0995, "10 %"),
        (0.5, "50 %"),
        (0.994, "99 %"),
        (3.87, "387 %"),
    ],
)
def test_a_small_share_has_one_decimal_and_a_large_one_none(share: float, text: str) -> None:
    assert format_percent(share) == text


@given(st.floats(0, 1))
def test_a_share_is_shown_to_a_twentieth_of_a_percent_or_half_a_percent(share: float) -> None:
    shown = float(format_percent(share).removesuffix(" %"))
    assert abs(shown - 100 * share) <= (0.051 if share < 0.0995 else 0.51)


@pytest.mark.parametrize(("number", "text"), [(0, "0 cores"), (1, "1 core"), (2, "2 cores"), (1000, "1000 cores")])
def test_one_is_singular_and_any_other_number_is_plural(number: int, text: str) -> None:
    assert format_count(number, "core") == text


@given(st.lists(st.from_regex(r"\A[a-z]{1,5}\Z"), min_size=1, max_size=5, unique=True))
def test_a_list_names_everybody_once_in_order(names: list[str]) -> None:
    text = join_names(names)
    assert text.replace(" and ", ", ").split(", ") == names
    assert text.count(" and ") == (len(names) > 1)


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ([], Fitness.FIT),
        (["fine", "note"], Fitness.FIT),
        (["fine", "warning", "note"], Fitness.RESERVATIONS),
        (["unfit", "warning"], Fitness.UNFIT),
    ],
)
def test_the_gravest_finding_decides(severities: list[str], expected: Fitness) -> None:
    findings = [Finding(Severity(severity), "x", "It is.", "Do.") for severity in severities]
    assert rate_fitness(findings) is expected


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_a_list_reads_as_people_write_it(names: list[str], text: str) -> None:
    assert join_names(names, "or") == text
