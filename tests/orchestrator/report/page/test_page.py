"""The page as text: whole, escaped, reproducible, small, and with a table for every chart."""

import dataclasses
import importlib.metadata
import json
import random
import re
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser

import pytest

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.run import Run
from orchestrator.report.page import page
from orchestrator.report.page.chart_data import pack_column
from orchestrator.report.page.page import hash_script, list_host_facts, read_asset, render_page, render_still_page
from schemas.environment import EnvironmentRecord
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_run

VOID = {"meta", "input", "br", "hr", "img", "link", "base"}


class Read(HTMLParser):
    """A strict reader of a page: every element is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.elements, self.texts = list[str](), list[tuple[str, dict[str, str | None]]](), list[str]()
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def of(run: Run) -> str:
    return render_page(run)


def scripts(text: str, attributes: str = "") -> list[str]:
    return re.findall(rf"<script{attributes}>(.*?)</script>", text, re.DOTALL)


def test_a_page_is_whole_and_every_name_in_it_is_there_once(known_run: Run) -> None:
    read = Read(of(known_run))
    names = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(names) == len(set(names))
    links = [str(attributes["href"]) for attributes in read.all("a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= {*names}


def test_the_same_records_give_the_same_page(known_run: Run) -> None:
    assert of(known_run) == of(known_run)


def test_it_does_not_matter_in_which_order_records_are_found(known_run: Run) -> None:
    placed = [
        record.model_copy(update={"spec": record.spec.model_copy(update={"position": place})})
        for place, record in enumerate(known_run.records)
    ]
    run = a_run(known_run.manifest, placed)
    shuffled = random.Random(1).sample(placed, len(placed))
    assert of(a_run(run.manifest, shuffled)) == of(run)


def test_every_picture_has_a_table_with_headings_and_says_what_it_shows(known_run: Run) -> None:
    pictures = re.findall(r"<figure.*?</figure>", of(known_run), re.DOTALL)
    assert len(pictures) == 2 * 9 + 1
    for picture in pictures:
        read = Read(picture)
        assert len(read.all("table")) == 1
        assert {attributes["scope"] for attributes in read.all("th")} == {"col", "row"}
        (drawing,) = (each for each in read.all("div") if each.get("role") == "img")
        assert str(drawing["aria-label"]).endswith(".")


def test_the_answer_comes_before_any_picture(known_run: Run) -> None:
    text = of(known_run)
    assert 0 < text.index("torch:trace is the fastest, at ") < text.index("<figure")


def test_the_contents_lead_to_every_section(known_run: Run) -> None:
    text = of(known_run)
    contents = Read(re.findall(r'<nav id="contents".*?</nav>', text, re.DOTALL)[0])
    linked = [str(attributes["href"])[1:] for attributes in contents.all("a")]
    assert linked == ["answer", "refused", "group-1", "group-2", "sweep", "repeat"]
    assert linked == [str(attributes["id"]) for attributes in Read(text).all("section")]
    assert "mlp backward" in contents.texts


def test_several_computations_have_a_matrix_that_leads_to_their_sections(known_run: Run) -> None:
    (matrix,) = re.findall(r'<table id="overview">.*?</table>', of(known_run), re.DOTALL)
    rows = re.findall(r"<tr data-[^>]*>(.*?)</tr>", matrix)
    assert [re.findall(r'<a href="#(group-\d)">([^<]*)</a>', row) for row in rows] == [
        [("group-1", "mlp forward")],
        [("group-2", "mlp backward")],
    ]
    for row, outcome in zip(rows, ("wrong", "unsupported"), strict=True):
        assert re.search(r"<strong>0\.6\d\*</strong>", row)
        assert re.search(rf'<td data-framework="\d" class="bad">{outcome}</td>', row)
    assert "A time is the baseline&#39;s" in matrix


def test_one_computation_needs_no_matrix(known_run: Run) -> None:
    cells = tuple(cell for cell in known_run.manifest.cells if cell.task == "forward")
    records = [record for record in known_run.records if record.spec.cell in cells]
    text = of(a_run(known_run.manifest.model_copy(update={"cells": cells}), records))
    assert 'id="overview"' not in text
    assert 'id="contents"' in text


def test_an_alarm_stands_above_the_answer_and_is_told_once(known_run: Run) -> None:
    group = known_run.groups[0]
    assert group.clone is not None
    lying = a_run(known_run.manifest, known_run.records)
    false = dataclasses.replace(group, clone=dataclasses.replace(group.clone, verdict=Verdict.FASTER))
    lying.__dict__["groups"] = (false,)
    text = of(lying)
    assert 0 < text.index('<p class="alarm">A/A check FAILED') < text.index('<p class="lead">')
    assert text.count("A/A check FAILED") == 1
    assert '<p class="alarm">' not in of(known_run)


def test_no_sentence_of_the_page_is_said_twice(known_run: Run) -> None:
    text = re.sub(r"<figure.*?</figure>", "", of(known_run), flags=re.DOTALL)
    # What does not end in a full stop is a title, or a cell of a table.
    told = [part.strip() for part in Read(text).texts if part.strip().endswith(".")]
    said = [sentence.rstrip(".") for part in told for sentence in part.split(". ") if len(sentence.split()) > 5]
    assert len(said) > 10
    assert sorted(each for each in {*said} if said.count(each) > 1) == []


def test_of_many_computations_each_shows_one_chart_and_the_others_on_request(
    make_cell: Callable[..., Cell], known_run: Run
) -> None:
    records = list(many(make_cell, known_run, 20))
    cells = tuple(dict.fromkeys(record.spec.cell.model_dump_json() for record in records))
    run = a_run(known_run.manifest.model_copy(update={"cells": tuple(map(Cell.model_validate_json, cells))}), records)
    assert len(run.groups) == 5
    text = of(run)
    assert text.count('<details class="more">') == 5
    shown = re.sub(r'<details class="more">.*?</details>\n</section>', "</section>", text, flags=re.DOTALL)
    assert len(Read(shown).all("figure")) == 5 + 1
    assert '<details class="more">' not in of(known_run)


def test_of_very_many_computations_each_has_its_times_alone_and_the_way_to_the_rest_is_shown(
    known_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = of(known_run)
    monkeypatch.setattr(page, "MAX_PICTURED_GROUPS", len(known_run.groups) - 1)
    brief = of(known_run)
    assert f"python -m orchestrator report {known_run.name} --only TEXT --output FILE" in brief
    assert "--only TEXT" not in whole
    groups = len(known_run.groups)
    assert len(Read(brief).all("figure")) == groups + 1  # and the schedule
    assert len(Read(whole).all("figure")) > groups + 1


def test_the_schedule_of_very_many_jobs_is_left_out(known_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = len(Read(of(known_run)).all("figure"))
    monkeypatch.setattr(page, "MAX_SCHEDULED_JOBS", len(known_run.last_attempts) - 1)
    assert len(Read(of(known_run)).all("figure")) == figures - 1


def test_the_footer_has_the_version_of_the_program(known_run: Run) -> None:
    (footer,) = re.findall(r"<footer>.*?</footer>", of(known_run))
    assert f"Made by Plumbline {importlib.metadata.version('plumbline-ml')} from" in footer


def test_cells_without_a_rank_are_listed_with_their_reasons(known_run: Run) -> None:
    said = " ".join(Read(of(known_run)).texts)
    assert "the output is off by 3e-3" in said
    assert "because it was unsupported" in said
    assert "<s>4.32 µs</s>" in of(known_run)


def test_an_unfair_cell_is_listed_and_says_what_it_did_not_get(
    known_run: Run, make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord]
) -> None:
    cell = make_cell("jax:jit", task="forward")
    unfair = make_record(cell, outcome="unfair", reason="it has 4 threads instead of 1")
    manifest = known_run.manifest.model_copy(update={"cells": (*known_run.manifest.cells, cell)})
    text = of(a_run(manifest, [*known_run.records, unfair]))
    assert re.search(r'<strong class="bad">unfair</strong></td><td[^>]*>it has 4 threads instead of 1', text)


def test_only_our_own_scripts_may_run_and_nothing_may_be_fetched(known_run: Run) -> None:
    text = of(known_run)
    ours = scripts(text)
    assert len(ours) == 2
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert f"script-src {' '.join(map(hash_script, ours))};" in policy.replace("&#39;", "'")
    assert policy.startswith("default-src ")
    assert not any("src" in attributes or "url(" in str(attributes) for _, attributes in Read(text).elements)
    assert "\r" not in text, "a browser would hash another text"


def test_what_comes_from_records_is_text_and_nothing_else(hostile_run: Run) -> None:
    text = of(hostile_run)
    read = Read(text)
    assert len(scripts(text)) == 2
    assert read.all("img") == []
    assert not any(name.startswith("on") for _, attributes in read.elements for name in attributes)
    assert "alert(1)" in " ".join(read.texts)
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_what_is_drawn_of_hostile_records_is_json(hostile_run: Run) -> None:
    found = scripts(of(hostile_run), ' type="application/json"[^>]*')
    assert len(found) > 20
    for each in found:
        json.loads(each)


def test_all_that_it_takes_to_repeat_the_run_is_there(known_run: Run) -> None:
    text = of(known_run)
    assert "sweep --workloads mlp:depth=3 --seed 7</code>" in text
    assert "<code>seed = 7</code>" in text


def test_every_environment_is_named_with_its_hash(known_run: Run) -> None:
    record = EnvironmentRecord(
        interpreter="", python="3.11.7", installed={}, packages={"torch": "2.13.0"}, freeze="0123456789abcdef"
    )
    manifest = known_run.manifest.model_copy(update={"environments": {"torch": record}})
    said = " ".join(Read(of(a_run(manifest, known_run.records))).texts)
    assert "Environment torch: Python 3.11.7, torch 2.13.0; freeze 0123456789abcdef." in said


def test_the_fingerprint_and_all_that_it_is_of_are_there(known_run: Run) -> None:
    host = known_run.manifest.host
    assert host.content_hash in of(known_run)
    rows = [row.cells for row in list_host_facts({"cpu": "a", "packages": {"numpy": "2.0"}, "cpu_flags": ["x", "y"]})]
    assert rows == [("cpu", "a"), ("packages numpy", "2.0"), ("cpu flags", "x y")]


def test_a_run_of_which_nothing_is_measured_yet_has_a_page(known_run: Run) -> None:
    text = of(a_run(known_run.manifest, []))
    Read(text)
    assert "No mode was measured." in text


def test_a_run_that_is_not_of_one_piece_says_so(known_run: Run) -> None:
    mixed = known_run.manifest.model_copy(update={"mixed": ("the kernel was another",)})
    assert "<strong>MIXED:</strong>" in of(a_run(mixed, known_run.records))


def test_a_column_says_each_word_once_and_can_be_told_again() -> None:
    assert pack_column(["a", "b", "a", "a", "b"]) == {"words": ["a", "b"], "at": [0, 1, 0, 0, 1]}
    assert pack_column([1.5, 2.5, 3.5]) == [1.5, 2.5, 3.5]
    assert pack_column([]) == []


def many(make_cell: Callable[..., Cell], run: Run, count: int) -> Iterator[JobRecord]:
    """Yield records of `count` cells and 32 blocks, whose warm-ups are as long as real ones."""
    jobs = [record for record in run.records if record.outcome == "measured"]
    for number in range(count):
        job = jobs[number % 4]
        assert job.report is not None
        report = job.report.model_copy(update={"warmup": tuple((1 + lap // 9, 20_000 + 7 * lap) for lap in range(300))})
        cell = job.spec.cell.model_copy(update={"batch": 1 + number // 4})
        for block in range(1, 33):
            spec = job.spec.model_copy(update={"cell": cell, "block": block})
            yield job.model_copy(update={"spec": spec, "result": report})


@pytest.mark.long
def test_a_page_of_fifty_cells_is_below_three_megabytes(make_cell: Callable[..., Cell], known_run: Run) -> None:
    records = list(many(make_cell, known_run, 50))
    cells = tuple(dict.fromkeys(record.spec.cell.model_dump_json() for record in records))
    manifest = known_run.manifest.model_copy(update={"cells": tuple(map(Cell.model_validate_json, cells))})
    assert len(manifest.cells) == 50
    assert len(of(a_run(manifest, records)).encode()) < 3_000_000


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2)."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_and_marks_be_seen(scheme: int) -> None:
    found = [dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in read_asset("page.css").split(":root {")[1:3]]
    colours = found[scheme]
    for name in ("ink", "soft", "link", "bad"):
        assert contrast(colours[name], colours["page"]) >= 4.5, name
    for name in ("less", "more", "wash"):
        assert contrast(colours["ink"], colours[name]) >= 4.5, name
    marks = [name for name in colours if name.startswith("tone-")]
    assert len(marks) == 8
    for name in marks:
        assert contrast(colours[name], colours["page"]) >= 3, name


def test_a_still_page_has_every_sentence_and_table_and_no_script(known_run: Run) -> None:
    still, whole = render_still_page(known_run), re.sub(r"(?s)<script.*?</script>", "", of(known_run))
    assert "<script" not in still
    assert "script-src 'none'" in unescape(still)
    assert re.findall(r"<t[dh].*?</t[dh]>", still) == re.findall(r"<t[dh].*?</t[dh]>", whole)
    assert re.findall(r'<p class="lead">.*?</p>', still) == re.findall(r'<p class="lead">.*?</p>', whole)
    assert still.count("<details open>") == whole.count("<summary>Table:") + whole.count("<summary>Contents")


def test_a_still_page_does_not_depend_on_the_version_of_this_program(known_run: Run) -> None:
    assert "Made by Plumbline from the records" in render_still_page(known_run)
    assert render_still_page(known_run) == render_still_page(known_run)
