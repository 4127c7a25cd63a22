"""The site: one page for each computation and type of machine, made of admitted runs alone, the same each time."""

import dataclasses
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestrator.analysis.derivation.process import Process
from orchestrator.errors import UsageError
from orchestrator.export.publication.admit import Admitted, decide_admission, decide_all
from orchestrator.export.publication.contents import Contents, read_contents
from orchestrator.export.publication.publish import publish_run
from orchestrator.export.publication.site import (
    MARK,
    Source,
    build_pages,
    check_apart,
    check_distinct,
    describe_age,
    replace_site,
    summarise_publication,
    write_site,
)
from orchestrator.files.folders import write_contents
from schemas.record import JobRecord
from schemas.workloads import SUITES as WORKLOAD_SUITES
from tests.orchestrator.conftest import HOST, NOON, Said, a_cell
from tests.orchestrator.export.publication.conftest import NAMES, NOW
from tests.orchestrator.export.publication.forging import (
    MODES,
    SEED,
    WRONG,
    a_run_folder,
    clone,
    measured_records,
    noisy_report,
    walk_objects,
)

RESULTS = Path(__file__).resolve().parents[4] / "docs" / "results"
Site = dict[str, bytes]
MakeSource = Callable[..., Source]
OTHER_CPU = HOST.model_dump(mode="json") | {"cpu": "another CPU"}


class Links(HTMLParser):
    """The targets of a page, and its elements that load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.targets = list[str]()
        self.loading = list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a" and named.get("href"):
            self.targets.append(str(named["href"]))
        if tag in ("script", "link", "img", "iframe", "object", "embed") or "src" in named:
            self.loading.append(tag)


def read_links(content: bytes) -> Links:
    links = Links()
    links.feed(content.decode())
    return links


@pytest.fixture
def make_source(tmp_path: Path) -> MakeSource:
    """Publish and admit a run that began so many days after the first."""

    def make(days: int = 0, records: Sequence[JobRecord] | None = None, **changes: object) -> Source:
        moved = [shift(record, days) for record in records or measured_records()]
        began = (NOON + timedelta(days=days)).isoformat()
        run = a_run_folder(tmp_path / "runs", moved, **{"started": began} | changes)
        made = publish_run(run, tmp_path / "results", NAMES, NOW, with_code=False)
        admitted = decide_admission(made, NOW).admitted
        assert admitted is not None
        return summarise_publication(made, admitted)

    return make


def build_site(sources: Sequence[Source], counted: date | None) -> Site:
    """All files of a site by path."""
    files = build_pages(sources, counted)
    for source in sources:
        files |= {f"{source.folder}/{name}": content for name, content in read_contents(source.path).files.items()}
    return dict(sorted(files.items()))


def replace_by(to: Path, files: Site) -> None:
    """Put a site of these files in the place of another."""
    with replace_site(to) as made:
        write_contents(made, files)


def shift(record: JobRecord, days: int) -> JobRecord:
    if record.outside is None:
        return record
    began = str(record.outside.started).replace("2025-01-01", f"2025-01-{1 + days:02}")
    return record.model_copy(update={"outside": record.outside.model_copy(update={"started": began})})


def of_times(trace_ns: float, **changes: object) -> list[JobRecord]:
    """The records of a run in which tracing takes so long."""
    return [
        JobRecord.model_validate(
            record.model_dump(mode="json")
            | changes
            | (
                {"result": noisy_report(900_000 + record.spec.block, trace_ns)}
                if record.spec.cell.mode == "trace"
                else {}
            )
        )
        for record in measured_records()
    ]


def list_pages(site: Site) -> list[str]:
    """The pages that the site itself has, without those of the runs."""
    return [name for name in site if name.endswith(".html") and not name.startswith("runs/")]


def read_cells(page: bytes, mode: str) -> list[str]:
    """The cells of a mode's row."""
    row = re.search(rf'<tr><th scope="row">{re.escape(mode)}</th>(.*?)</tr>', page.decode())
    assert row is not None
    return [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row[1])]


@pytest.mark.long
def test_a_page_shows_the_newest_run_and_counts_what_all_runs_said(make_source: MakeSource) -> None:
    runs = [make_source(0, of_times(1300.0)), make_source(1, of_times(900.0)), make_source(3)]
    site = build_site(runs, None)
    (page,) = [site[name] for name in list_pages(site) if name != "index.html"]
    rank, time, ratio, verdict, agreement = read_cells(page, "torch:trace")
    assert (rank, time, verdict) == ("1–2", "1.00 µs", "EQUIVALENT")
    assert re.fullmatch(r"(0\.99|1\.00)\d \(0\.99\d to 1\.00\d\)", ratio)
    assert agreement == "1 EQUIVALENT, 1 FASTER, 1 SLOWER of 3 runs"
    assert read_cells(page, "torch:eager")[-1] == "3 SLOWER of 3 runs"
    assert read_cells(page, "numpy:eager")[2:] == ["", "baseline", ""]
    assert "Newest of 3 runs: 2025-01-04, 0 days old." in page.decode()


@pytest.mark.long
def test_no_figure_is_of_two_types_of_machines(make_source: MakeSource) -> None:
    other = [
        JobRecord.model_validate(each.model_dump(mode="json") | {"host": OTHER_CPU}) for each in measured_records()
    ]
    site = build_site([make_source(0), make_source(1, other, host=OTHER_CPU)], None)
    first, second = [name for name in list_pages(site) if name != "index.html"]
    assert first.partition("/")[2] == second.partition("/")[2]
    for name in (first, second):
        assert read_cells(site[name], "torch:eager")[-1] == "1 SLOWER of 1 run"
    assert site["index.html"].decode().count("<tr>") == 3


def test_each_computation_has_a_page(make_source: MakeSource) -> None:
    site = build_site([make_source(0, measured_records((*MODES, a_cell(batch=4), clone(MODES[0]))))], None)
    titles = [re.search(r"<h1>(.*)</h1>", site[name].decode()) for name in list_pages(site)]
    assert [title[1] for title in titles if title] == [
        "mlp backward (depth=3), batch 1, float32, 1 thread, cpu",
        "mlp backward (depth=3), batch 4, float32, 1 thread, cpu",
        "Published results",
    ]


@pytest.mark.long
def test_every_link_leads_to_a_file_of_the_site(make_source: MakeSource) -> None:
    site = build_site([make_source(0), make_source(2)], None)
    found = 0
    for name in list_pages(site):
        for target in read_links(site[name]).targets:
            if not target.startswith("#"):
                parts = list[str]()
                for part in (*name.split("/")[:-1], *target.split("/")):
                    parts = parts[:-1] if part == ".." else [*parts, part]
                assert "/".join(parts) in site, target
                found += 1
    assert found == 32 + 2 * 3 + 2  # records of the newest run, files of both, and the way there and back


@pytest.mark.long
def test_every_file_of_every_run_is_in_the_site_as_it_was_admitted(make_source: MakeSource, tmp_path: Path) -> None:
    runs = [make_source(0), make_source(2)]
    write_site(tmp_path / "site", runs, None)
    for each in runs:
        copied = tmp_path / "site" / "runs" / each.publication.machine / each.name
        assert dict(list_files(copied)) == dict(list_files(each.path))


def test_no_page_runs_or_loads_anything(make_source: MakeSource) -> None:
    site = build_site([make_source(0)], None)
    pages = [name for name in site if name.endswith(".html")]
    assert len(pages) == 3
    for name in pages:
        assert read_links(site[name]).loading == []
        assert b"default-src 'none'" in site[name]
        assert not re.search(rb"(?:https?:)?//[a-z]", site[name])


def test_the_command_repeats_the_newest_run(make_source: MakeSource) -> None:
    site = build_site([make_source(0, command=("sweep", "--workloads", "mlp", "--runs", "x"))], None)
    page = site[list_pages(site)[0]].decode()
    assert f"<code>python -m orchestrator sweep --workloads mlp --seed {SEED}</code>" in page


@pytest.mark.long
def test_the_order_of_the_runs_does_not_change_a_byte(make_source: MakeSource) -> None:
    runs = [make_source(0), make_source(2), make_source(1, of_times(900.0))]
    assert build_site(runs, None) == build_site(runs[::-1], None)


def test_ages_are_counted_to_the_date(make_source: MakeSource) -> None:
    admitted = [make_source(3)]
    page = build_site(admitted, date(2025, 1, 14))[list_pages(build_site(admitted, None))[0]].decode()
    assert "2025-01-04, 10 days old" in page
    assert "Ages are counted to 2025-01-14" in page
    with pytest.raises(UsageError, match="--date 2025-01-03 is before the newest run, of 2025-01-04"):
        build_site(admitted, date(2025, 1, 3))
    assert describe_age(date(2025, 1, 1), date(2025, 1, 2)) == "1 day"


def test_a_cell_without_a_time_has_its_outcome(make_source: MakeSource) -> None:
    records = [each for each in measured_records() if each.spec.cell.mode != "trace" or each.spec.block == 1]
    wrong = [
        JobRecord.model_validate(
            each.model_dump(mode="json") | {"outcome": "wrong", "result": noisy_report(7, 1000, **WRONG)}
        )
        if each.spec.cell.mode == "trace"
        else each
        for each in records
    ]
    site = build_site([make_source(0, wrong)], None)
    assert read_cells(site[list_pages(site)[0]], "torch:trace") == ["", "", "", "wrong", ""]


def test_computations_whose_titles_differ_only_beyond_the_length_of_a_name_have_two_pages(
    make_source: MakeSource,
) -> None:
    long = {f"a_parameter_with_a_long_name_{number}": number for number in range(4)}
    cells = [a_cell(mode, parameters=long, batch=batch) for batch in (1, 32) for mode in ("numpy:eager", "torch:eager")]
    site = build_site([make_source(0, measured_records((*cells, clone(cells[0]))))], None)
    titles = [re.search(r"<h1>(.*)</h1>", site[name].decode()) for name in list_pages(site)]
    assert [re.findall(r"batch \d+", title[1]) for title in titles if title] == [["batch 1"], ["batch 32"], []]
    assert max(map(len, list_pages(site))) < 120


def test_a_page_keeps_its_name_whatever_else_the_site_has(make_source: MakeSource) -> None:
    (name,) = [name for name in list_pages(build_pages([make_source(0)], None)) if name != "index.html"]
    assert re.fullmatch(r"[0-9a-f]{8}/mlp-backward-depth-3-batch-1-float32-1-thread-cpu-[0-9a-f]{8}\.html", name)
    more = build_pages([make_source(1, measured_records((*MODES, a_cell(batch=4), clone(MODES[0]))))], None)
    assert name in more


def test_two_things_in_one_place_are_named_and_no_site_is_made(make_source: MakeSource, tmp_path: Path) -> None:
    first = make_source(0)
    twin = tmp_path / "elsewhere" / first.name
    shutil.copytree(first.path, twin)
    second = dataclasses.replace(first, path=twin)
    with pytest.raises(UsageError, match=f"two publications have the place runs/.* in the site: {first.path} and "):
        write_site(tmp_path / "site", [first, second], None)
    assert not (tmp_path / "site").exists()
    with pytest.raises(UsageError, match=r"two computations have the place a.html in the site: one and other"):
        check_distinct("computations", [("a.html", "one"), ("a.html", "other")])


def test_the_records_of_a_page_are_those_of_its_cells_alone(make_source: MakeSource) -> None:
    source = make_source(0, measured_records((*MODES, a_cell(batch=4), clone(MODES[0]))))
    cell = a_cell(batch=4)
    # A cell whose id is part of another one's.
    records = {**source.records, f"x{cell.id}": [f"001-x{cell.id}.json.gz"]}
    pages = build_pages([dataclasses.replace(source, records=records)], None)
    for name in list_pages(pages):
        assert not [target for target in read_links(pages[name]).targets if "-x" in target]
        if "batch-4" in name:
            links = [target for target in read_links(pages[name]).targets if "/jobs/" in target]
            assert len(links) == 8
            assert all(target.endswith(f"-{cell.id}.json.gz") for target in links)


def test_one_run_under_two_dates_counts_once_and_both_are_named(
    make_source: MakeSource, tmp_path: Path, inside: Callable[..., Said]
) -> None:
    first, second = make_source(0), make_source(2)
    decisions = list(decide_all(tmp_path / "results", NOW))
    assert [decision.folder for decision in decisions] == [first.path, second.path]
    job = f"001-{MODES[0].id}"
    assert [decision.refusal for decision in decisions] == [
        "",
        f"{job} has the samples of {job} in {first.path}; remove one of the two",
    ]
    said = inside("site", "results", "--to", "site")
    assert said.code == 2
    assert f"results/{second.path.parent.name}/{second.name} is refused, and no page shows it: {job} has" in said.err
    assert not (tmp_path / "site").exists()


# Written to disk.


def test_a_publication_that_changed_after_it_was_admitted_is_not_copied(
    make_source: MakeSource, tmp_path: Path
) -> None:
    source = make_source(0)
    page = source.path / "report.html"
    page.write_text(page.read_text().replace("torch", "tensorflow"))
    with pytest.raises(UsageError, match="has changed since it was admitted; make the site again"):
        write_site(tmp_path / "site", [source], None)
    page.unlink()
    page.symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match=r"has changed since it was admitted: 'report.html' is a symbolic link"):
        write_site(tmp_path / "site", [source], None)
    assert not (tmp_path / "site").exists()


def test_what_a_site_keeps_of_a_publication_is_neither_its_files_nor_its_records(published: Path) -> None:
    decision = decide_admission(published, NOW)
    assert decision.admitted is not None
    kept = [*walk_objects(summarise_publication(published, decision.admitted))]
    assert not [each for each in kept if isinstance(each, Admitted | Contents | JobRecord | Process | bytes)]


def list_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def test_a_site_replaces_an_earlier_one_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    to = tmp_path / "site"
    replace_by(to, {"index.html": MARK, "00000000/a.html": b"old"})
    replace_by(to, {"index.html": b"2"})
    assert dict(list_files(tmp_path)) == {"site/index.html": b"2"}


def test_an_empty_folder_becomes_a_site(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    replace_by(tmp_path / "site", {"index.html": b"1"})
    assert dict(list_files(tmp_path)) == {"site/index.html": b"1"}


def test_a_folder_with_something_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.md").write_text("mine")
    with pytest.raises(UsageError, match=r"notes holds 'mine.md', which no site has; choose another folder with --to"):
        replace_by(tmp_path / "notes", {"index.html": b"1"})
    assert dict(list_files(tmp_path)) == {"notes/mine.md": b"mine"}


def test_a_folder_that_looks_like_a_site_and_has_no_mark_is_kept(tmp_path: Path) -> None:
    (tmp_path / "other" / "d128fb31").mkdir(parents=True)
    (tmp_path / "other" / "index.html").write_text("mine")
    with pytest.raises(UsageError, match="other is no site that this command has made"):
        replace_by(tmp_path / "other", {"index.html": b"1"})
    assert dict(list_files(tmp_path)) == {"other/index.html": b"mine"}


def test_a_site_neither_replaces_nor_joins_its_publications(
    published: Path, tmp_path: Path, inside: Callable[..., Said]
) -> None:
    before = dict(list_files(tmp_path))
    results = published.parents[1]
    for to in ("results", "results/.", "results/site", ".", f"results/{published.parent.name}"):
        said = inside("site", "results", "--to", to)
        assert (said.code, said.out) == (2, "")
        assert "would replace publications in results; choose a folder beside it, such as site" in said.err
    (tmp_path / "link").symlink_to(results)
    with pytest.raises(UsageError, match="would replace publications"):
        check_apart(tmp_path / "link", results)
    assert dict(list_files(tmp_path)) == before
    # A folder of other publications has no mark.
    (tmp_path / "more").mkdir()
    results.joinpath(published.parent.name).rename(tmp_path / "more" / published.parent.name)
    with pytest.raises(UsageError, match="more is no site that this command has made"):
        replace_by(tmp_path / "more", {"index.html": b"1"})


def test_a_link_or_a_file_in_its_place_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="is there and is no folder"):
            replace_by(tmp_path / name, {"index.html": b"1"})
    assert (tmp_path / "file").read_text() == "mine"


def test_the_command_writes_the_same_bytes_each_time(
    published: Path, tmp_path: Path, inside: Callable[..., Said]
) -> None:
    said = inside("site", str(published.parents[1]), "--to", "site")
    assert (said.code, said.out, said.err) == (0, "site/index.html\n", "")
    first = dict(list_files(tmp_path / "site"))
    assert inside("site", str(published.parents[1]), "--to", "site", "--json").code == 0
    assert dict(list_files(tmp_path / "site")) == first


def test_the_command_makes_no_site_of_a_refused_publication(
    published: Path, tmp_path: Path, inside: Callable[..., Said]
) -> None:
    (published / "more").write_text("x")
    said = inside("site", str(published.parents[1]), "--to", "site")
    assert (said.code, said.out) == (2, "")
    assert "'more' is no file of a publication; remove it" in said.err
    assert not (tmp_path / "site").exists()
    assert inside("site", str(published), "--to", "site", "--date", "soon").err == (
        "error: --date 'soon' is no date; write it as 2026-11-29\n"
    )


# The results of this project.


# The suites have thousands of records, which take a minute to check.
EVERY_RESULT = sorted(path.parent for path in RESULTS.glob("*/*/publication.json"))
SUITES = [path for path in EVERY_RESULT if path.name.endswith(("-static", "-dynamic"))]
QUESTIONS = [path for path in EVERY_RESULT if path not in SUITES]


def decide(folder: Path) -> Source:
    """Return what a site needs of a published result, which must hold."""
    (decision,) = decide_all(folder, datetime.now(UTC))
    assert decision.refusal == ""
    assert decision.admitted is not None
    return summarise_publication(folder, decision.admitted)


def make_project_site(folder: Path, results: list[Path]) -> dict[str, bytes]:
    """Return the pages of a site that is made of these results, once it was written and read again."""
    sources = [*map(decide, results)]
    write_site(folder / "site", sources, None)
    site = dict(list_files(folder / "site"))
    assert site == build_site(sources, None)
    return {name: site[name] for name in list_pages(site)}


def test_the_question_is_admitted_on_two_types_of_machine_and_makes_a_site(tmp_path: Path) -> None:
    pages = {name: page for name, page in make_project_site(tmp_path, QUESTIONS).items() if "rnn-cell-backward" in name}
    assert len(pages) == len({folder.parent for folder in QUESTIONS}) == 2
    for page in pages.values():
        assert read_cells(page, "torch:eager")[0] == "1"
        assert re.fullmatch(r"\d\.\d+ \(\d\.\d+ to \d\.\d+\)", read_cells(page, "tensorflow:function")[2])


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_suites_are_admitted_and_have_a_page_for_each_computation(tmp_path: Path) -> None:
    pages = make_project_site(tmp_path, EVERY_RESULT)
    suites = [suite for suite in WORKLOAD_SUITES if suite.name in ("static", "dynamic")]
    assert len(suites) == len(SUITES) == 2
    for suite in suites:
        for workload in suite.workloads:
            for task in suite.tasks:
                found = [name for name in pages if f"{workload}-{task}".replace("_", "-") in name]
                assert found, (workload, task)
                assert re.fullmatch(r"\d+(–\d+)?", read_cells(pages[found[0]], "torch:eager")[0])


def test_the_records_of_the_results_are_small() -> None:
    sizes = [len(content) for name, content in list_files(RESULTS) if "/jobs/" in name]
    assert len(sizes) > 2000
    assert max(sizes) < 40_000
    assert sum(sizes) / len(sizes) < 12_000
