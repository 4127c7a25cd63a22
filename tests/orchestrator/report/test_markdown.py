from orchestrator.report.markdown import (
    escape_markdown,
    format_markdown_list,
    format_markdown_quote,
    format_markdown_table,
)


def test_text_has_no_marks_and_no_lines() -> None:
    assert escape_markdown("a|b `c`\n*d* <e> [f](g)\x1b") == r"a\|b \`c\` \*d\* \<e\> \[f\](g)�"


def test_a_table_has_a_rule_and_a_row_for_each() -> None:
    assert format_markdown_table(("a", "b"), [("1", "2"), ("x|y", "")]).splitlines() == [
        "| a | b |",
        "| --- | ---: |",
        "| 1 | 2 |",
        r"| x\|y |  |",
    ]


def test_sentences_are_a_list_and_what_stands_apart_is_a_quotation() -> None:
    assert format_markdown_list(["One.", "Two."]) == "- One.\n- Two."
    assert format_markdown_quote(["One.", "Two."]) == "> One.\n>\n> Two."
