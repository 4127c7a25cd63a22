"""Markdown for a README or a comment."""

from orchestrator.analysis.run import Run
from orchestrator.export import convert_run


def test_markdown_shows_the_ranking_and_no_time_of_what_was_not_measured(run: Run) -> None:
    text = convert_run(run, "markdown", None).decode()
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert "1.00 µs" in rows["torch:eager"]
    assert rows["torch:eager"].endswith("| baseline |")
    assert "| n/a |" in rows["jax:jit"]
    assert rows["jax:jit"].endswith("| wrong |")
    assert {line.count(" | ") for line in rows.values()} == {7}
    assert r'(unsupported): no "\|" here =1+1.' in text
