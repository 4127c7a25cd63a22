"""The documentation agrees with the source: links, paths, options and tables, and its cheap commands run."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.costs.memory import METRIC_MEANINGS
from orchestrator.analysis.statistics.looks import LOOKS
from orchestrator.cli.app import FORMATS
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.machine import tunings
from orchestrator.planning.sweep_file import load_sweep_file
from orchestrator.records.json_schema import build_schema
from orchestrator.records.store import Store, read_recent
from schemas.catalog import FRAMEWORKS, Framework
from schemas.record import JobRecord, Outcome
from schemas.tuning import TUNINGS
from schemas.workloads import SUITES, WORKLOADS, Workload
from tests.orchestrator.conftest import Said, a_cell
from tests.orchestrator.quick import PROGRAM, QUICK

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("tests/*/README.md"), ROOT / "runs" / "README.md"])

SOURCE_PATH = re.compile(
    r"(?:`|python |pytest |bash )((?:orchestrator|workers|schemas|tests|docs|runs|\.ci)/[\w./-]*\w)"
)
MODULE = re.compile(r"python -m ((?:orchestrator|workers|tests)[\w.]*)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
OPTION = re.compile(r"--[a-z][a-z-]*")

# Commands that need no run and make nothing.
READ_ONLY = ("list", "doctor", "schema", "env list")

# Commands that read a run, which the test makes.
OF_A_RUN = ("show latest", "report latest", "export latest", "compare base head", "history")

REAL = [framework for framework in FRAMEWORKS if framework.name != "synthetic"]
BUILT_IN = [workload for workload in WORKLOADS if workload.name != "synthetic"]
IN_SUITES = sorted({text.partition(":")[0] for suite in SUITES for text in suite.workloads})

Run = Callable[..., Said]


def name_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


def read_page(name: str) -> str:
    return (ROOT / name).read_text()


def list_blocks(page: Path, *languages: str) -> list[str]:
    """Return the code blocks of a page in these languages."""
    return [text for language, text in FENCE.findall(page.read_text()) if language in languages]


def list_commands() -> Iterator[tuple[str, str]]:
    """Yield every command of this program in a code block, with the page on which it stands, each command once."""
    seen = set[str]()
    for page in PAGES:
        for block in list_blocks(page, "sh", "bash", "console"):
            for line in block.replace("\\\n", " ").splitlines():
                command = line.partition(" #")[0].strip()
                if command.startswith("python -m orchestrator ") and command not in seen:
                    seen.add(command)
                    yield name_page(page), command.removeprefix("python -m orchestrator ")


COMMANDS = sorted(list_commands(), key=lambda found: found[1])


def select_commands(*beginnings: str) -> list[tuple[str, str]]:
    return [each for each in COMMANDS if each[1].startswith(beginnings)]


def slug(heading: str) -> str:
    """Return the anchor of a heading."""
    plain = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
    return re.sub(r"[\s]", "-", plain)


def list_rows(page: str, heading: str) -> Sequence[str]:
    """Return the rows of the first table after a heading, each as one text."""
    after = f"\n{read_page(page)}".partition(f"\n{heading}\n")[2]
    rows = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert rows is not None, heading
    return rows[0].splitlines()[2:]


# Links, paths and code


def test_every_page_is_read() -> None:
    assert len(PAGES) > 25


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_path_of_the_source_that_a_page_names_exists(page: Path) -> None:
    missing = [path for path in SOURCE_PATH.findall(page.read_text()) if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_module_that_a_page_runs_exists(page: Path) -> None:
    places = [ROOT.joinpath(*module.split(".")) for module in MODULE.findall(page.read_text())]
    assert [place for place in places if not (place.with_suffix(".py").is_file() or place.is_dir())] == []


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" not in link:
            assert target.exists(), link
            assert not anchor or anchor in map(slug, HEADING.findall(target.read_text())), link


def test_the_site_builds_without_a_broken_link(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_code_in_a_page_is_valid(page: Path) -> None:
    for block in list_blocks(page, "python"):
        indent = len(block) - len(block.lstrip())
        ast.parse("\n".join(line[indent:] for line in block.splitlines()))
    for block in list_blocks(page, "toml"):
        tomllib.loads(block)


@pytest.mark.parametrize(
    ("page", "kind"), [("docs/how-to/extending.md", Framework), ("docs/how-to/workload-folder.md", Workload)]
)
def test_a_documented_catalog_entry_is_accepted(page: str, kind: type[object]) -> None:
    (entry,) = [block for block in list_blocks(ROOT / page, "python") if "ENTRY = " in block]
    names: dict[str, object] = {}
    exec(entry, names)
    assert isinstance(names["ENTRY"], kind)


def test_the_documented_sweep_file_is_accepted(tmp_path: Path) -> None:
    (text,) = list_blocks(DOCS / "reference" / "sweep-files.md", "toml")
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    assert load_sweep_file(path)["name"] == "recurrent"


# Commands


def test_the_documentation_shows_every_command_that_a_newcomer_needs() -> None:
    verbs = {command.split()[0] for _, command in COMMANDS}
    assert {"sweep", "plan", "list", "doctor", "compare", "export", "resume", "report", "show", "selftest"} <= verbs


@pytest.mark.parametrize(("page", "command"), select_commands(*READ_ONLY))
def test_a_command_that_only_reads_runs_as_documented(inside: Run, page: str, command: str) -> None:
    done = inside(*shlex.split(command))
    assert done.code in (ExitCode.FINE, ExitCode.UNFIT), (page, done.err)
    assert done.out


@pytest.mark.parametrize(("page", "command"), select_commands(*OF_A_RUN))
def test_a_command_about_a_run_works_as_documented(
    inside: Run, make_run: Callable[..., Store], make_records: Callable[..., list[JobRecord]], page: str, command: str
) -> None:
    cells = [(a_cell("torch:eager"), 2000.0), (a_cell("numpy:eager"), 1000.0), (a_cell("numpy:eager", batch=2), 1500.0)]
    for seed, name in enumerate(("base", "head")):
        make_run(name, make_records(cells, blocks=8, seed=seed), at_s=seed * 3600)
    done = inside(*shlex.split(command))
    # These records have no memory, so a gate on memory is inconclusive.
    expected = ExitCode.INCONCLUSIVE if "memory=" in command else ExitCode.FINE
    assert done.code == expected, (page, done.err)
    assert done.out


@pytest.mark.parametrize(
    ("page", "command"),
    [each for each in select_commands("sweep", "plan") if not re.search(r"\.toml|\./|~/|/bin/python", each[1])],
)
def test_the_options_of_a_documented_sweep_make_a_plan(
    inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, command: str
) -> None:
    # The page says which packages its allocators need, and this machine may lack them.
    monkeypatch.setattr(tunings, "has_library", lambda library: True)
    for name in re.findall(r"[\w-]+/bin/python", command):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (tmp_path / name).chmod(0o755)
    if "saved_model/" in command:
        tmp_path.joinpath("saved_model").mkdir()
        tmp_path.joinpath("saved_model", "saved_model.pb").touch()
    if "docs/examples" in command:
        shutil.copytree(DOCS / "examples", tmp_path / "docs" / "examples")
    for place in re.findall(r"--model ([\w./]+)", command):
        file = tmp_path / (place if place.endswith(".py") else f"{place.replace('.', '/')}.py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("import torch\n\ndef inputs(batch=1, length=16):\n    return torch.ones(batch, length)\n")
    for place in re.findall(r"[\w]+\.(?:onnx|npz|npy)", command):
        tmp_path.joinpath(place).write_bytes(b"\x08 and so on")
    for place, member in (("program.pt2", "models/model.json"), ("net.pt2", "data/aotinductor/model/net.so")):
        with zipfile.ZipFile(tmp_path / place, "w") as made:
            made.writestr(f"archive/{member}", "")
    done = inside("plan", *shlex.split(command)[1:])
    assert done.code == ExitCode.FINE, (page, done.err)


# Options of the test suite, which the documentation names beside those of the program.
TEST_OPTIONS = {"--hypothesis-profile", "--long", "--exhaustive"}


def read_help(inside: Run, *words: str) -> set[str]:
    return set(OPTION.findall(inside(*words, "--help").out))


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_option_of_a_documented_command_exists(inside: Run, page: str, command: str) -> None:
    words = shlex.split(command)
    known = read_help(inside, *(words[:2] if words[0] == "env" else words[:1]))
    assert set(OPTION.findall(command)) <= known, page


def test_the_help_of_a_sweep_and_the_guide_name_every_tuning(inside: Run) -> None:
    said, guide = inside("sweep", "--help").out, read_page("docs/how-to/axes.md")
    assert [name for name in TUNINGS if name not in said] == []
    assert [name for name in TUNINGS if f"`{name}`" not in guide] == []


def test_every_option_in_the_text_of_the_documentation_exists(inside: Run) -> None:
    verbs = sorted({command.split()[0] for _, command in COMMANDS} - {"env"} | {"schema", "new-workload"})
    known = {option for verb in verbs for option in read_help(inside, verb)} | read_help(inside)
    for verb in re.findall(r"^\| `env (\w+)", read_page("docs/how-to/environments.md"), re.MULTILINE):
        known |= read_help(inside, "env", verb)
    for page in (ROOT / "README.md", *DOCS.rglob("*.md")):
        named = {
            option
            for quoted in re.findall(r"`([^`\n]+)`", FENCE.sub("", page.read_text()))
            for option in OPTION.findall(quoted)
        }
        assert named <= known | TEST_OPTIONS, page


# Tables and counts


def test_the_readme_counts_right() -> None:
    said = " ".join(read_page("README.md").split())
    assert f"[{sum(len(framework.modes) for framework in REAL)} modes]" in said
    assert f"**{len(BUILT_IN)} workloads**" in said
    assert len(FORMATS) == 9
    assert "[nine export formats]" in said
    assert f"*All* means the {len(IN_SUITES)} workloads" in read_page("docs/reference/modes.md")


def test_the_readme_shows_the_two_commands_on_one_line_each() -> None:
    first, second = (line for line in read_page("README.md").splitlines() if line.startswith("python3 -m venv"))
    assert first.endswith("-m orchestrator sweep")
    assert second.endswith("-m tests")


def test_the_readme_shows_an_answer_of_at_most_twenty_lines() -> None:
    answer = read_page("README.md").partition("<!-- answer -->\n")[2].partition("\n<!-- /answer -->")[0]
    lines = answer.splitlines()
    assert (lines[0], lines[-1]) == ("```text", "```")
    assert 7 < len(lines[1:-1]) <= 20
    assert max(map(len, lines)) <= 80


def test_every_mode_has_a_row_in_the_support_matrix() -> None:
    rows = " ".join(list_rows("docs/reference/modes.md", "## Support"))
    assert set(re.findall(r"`(\w+:[\w-]+)`", rows)) == {
        f"{each.name}:{mode.name}" for each in REAL for mode in each.modes
    }


def test_every_framework_has_a_row_with_all_its_modes_and_types() -> None:
    rows = list_rows("docs/reference/frameworks.md", "# Frameworks")
    assert len(rows) == len(REAL)
    for row, framework in zip(rows, REAL, strict=True):
        _, name, _, modes, _, dtypes, *_ = row.split("|")
        assert name.strip() == f"`{framework.name}`"
        assert re.findall(r"`([\w-]+)`", modes) == [mode.name for mode in framework.modes]
        assert tuple(dtypes.strip().split(", ")) == framework.dtypes


def test_every_suite_has_a_row_with_all_its_workloads() -> None:
    rows = {re.findall(r"`([\w-]+)`", row)[0]: row for row in list_rows("docs/reference/workloads.md", "# Workloads")}
    assert rows.keys() == {suite.name for suite in SUITES}
    for suite in SUITES:
        named = set(re.findall(r"`([\w-]+)`", rows[suite.name])) - {suite.name}
        assert named == {text.partition(":")[0] for text in suite.workloads} or suite.name == "all"


def list_described_fields(page: str) -> dict[str, set[str]]:
    """Return the fields in the first column of the tables of a page, by the names in the heading above."""
    described = dict[str, set[str]]()
    for section in read_page(page).split("\n#")[1:]:
        heading, _, text = section.partition("\n")
        rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
        for name in re.findall(r"\w+", heading):
            described[name] = {field for row in rows for field in re.findall(r"`(\w+)`", row)}
    return described


def test_every_field_of_a_run_is_described() -> None:
    described = list_described_fields("docs/reference/records.md")
    # One table describes all purposes of a job.
    shared = {"Measure", "Export", "Profile", "ComputeReference"}
    wrong = dict[str, set[str]]()
    for kind, top in (("record", "JobRecord"), ("manifest", "manifest"), ("publication", "Publication")):
        schema = build_schema(kind)
        models = {name: model for name, model in schema["$defs"].items() if "properties" in model} | {top: schema}
        for name, model in models.items():
            found, known = described.get(name, set()), set(model["properties"])
            wrong[name] = known - found if name in shared else known ^ found
    assert {name: fields for name, fields in wrong.items() if fields} == {}


def test_every_outcome_is_explained() -> None:
    rows = list_rows("docs/reference/faults.md", "## Outcomes")
    explained = {name for row in rows for name in re.findall(r"`([\w-]+)`", row.split("|")[1])}
    assert set(get_args(Outcome)) <= explained


def test_every_verdict_is_explained() -> None:
    rows = list_rows("docs/reference/results.md", "## The answer and the table")
    assert {name for row in rows for name in re.findall(r"`([A-Z-]+)`", row)} == set(Verdict)


def test_every_memory_metric_is_explained() -> None:
    rows = list_rows("docs/explanation/memory.md", "## The metrics")
    of_devices = re.findall(r"^- \*([\w ]+)\*:", read_page("docs/explanation/memory.md"), re.MULTILINE)
    named = [*(row.split("|")[1].strip() for row in rows), *of_devices]
    assert [name.replace(" ", "_") for name in named] == list(METRIC_MEANINGS)


def test_every_export_format_has_a_row() -> None:
    rows = list_rows("docs/how-to/exports.md", "# Export a run")
    assert [re.findall(r"`([\w-]+)`", row)[0] for row in rows] == list(FORMATS)


def test_every_exit_code_is_in_the_readme() -> None:
    said = read_page("README.md").partition("Exit codes:")[2].partition("\n\n")[0]
    assert set(map(int, re.findall(r"\b\d+\b", said))) == set(ExitCode)


@pytest.mark.parametrize(
    "page", ["docs/explanation/measurement.md", "docs/reference/sweep-files.md", "docs/decisions/looks.md"]
)
def test_the_looks_are_those_of_the_source(page: str) -> None:
    *first, last = map(str, LOOKS)
    assert f"{', '.join(first)} and {last} blocks" in " ".join(read_page(page).split())


# The architecture


def test_every_folder_has_a_row_and_the_walk_names_each_once() -> None:
    said = read_page("docs/explanation/architecture.md")
    folders = {path.name for path in (ROOT / "orchestrator").iterdir() if (path / "__init__.py").is_file()}
    assert set(re.findall(r"^\| `orchestrator/(\w+)/`", said, re.MULTILINE)) == folders
    walk = said.partition("\n## A walk")[2].partition("\n## ")[0]
    named = re.findall(r"\*\*(\w+)\*\*", walk)
    assert folders <= set(named)
    assert len(named) == len(set(named))
    assert len(walk.strip().splitlines()) <= 25


def test_the_order_of_the_folders_is_that_of_the_contracts() -> None:
    said = read_page("docs/explanation/architecture.md").partition("\n## The order of the folders\n")[2]
    written = [
        re.findall(r"`([\w.]+)`", line)
        for line in re.findall(r"^\d+\. (.*)$", said.partition("\n## ")[0], re.MULTILINE)
    ]
    contracts = tomllib.loads(read_page("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each.get("containers") == ["orchestrator"]]
    assert [{name.removesuffix(".py") for name in names} for names in written] == [
        *({*re.findall(r"\w+", layer)} for layer in layers),
        {"schemas"},
    ]


# The guide to workload folders


@pytest.mark.long
@pytest.mark.exhaustive
def test_the_workload_of_the_guide_is_right_in_every_framework(tmp_path: Path) -> None:
    files = write_documented_workload(tmp_path, "docs/how-to/workload-folder.md")
    assert len(files) == 5
    modes = '"torch:eager", "tensorflow:eager", "jax:jit", "numpy"'
    few = QUICK.replace("calls = 1000", "calls = 10")
    records = measure_documented_workload(tmp_path, few.replace('"numpy"', modes))
    assert {record.spec.cell.framework for record in records} == {"torch", "tensorflow", "jax", "numpy"}


@pytest.mark.long
def test_the_model_of_the_guide_generates_what_its_reference_does(tmp_path: Path) -> None:
    assert len(write_documented_workload(tmp_path, "docs/how-to/generation.md")) == 3
    modes = '"torch:eager", "torch:trace", "numpy"]\ntasks = ["forward"'
    few = QUICK.replace("calls = 1000", "calls = 4")
    records = measure_documented_workload(tmp_path, few.replace('"numpy"', modes))
    assert {record.spec.cell.label for record in records} >= {"torch:eager", "torch:trace", "numpy:eager"}
    for record in records:
        assert record.report is not None
        assert record.report.generation is not None
        assert {len(calls) for calls in record.report.generation.calls_ns} == {record.spec.loop} == {12}


def write_documented_workload(folder: Path, page: str) -> list[str]:
    """Write the files of the workload that a page shows, and return their names."""
    files = re.findall(r"```(?:python|toml)\n# (mine/[\w.]+)\n(.*?)```", read_page(page), re.DOTALL)
    subprocess.run([*PROGRAM, "new-workload", "mine"], cwd=folder, check=True, capture_output=True)
    for name, text in files:
        (folder / name).write_text(text)
    return [name for name, _ in files]


def measure_documented_workload(folder: Path, sweep: str) -> list[JobRecord]:
    """Sweep over the workload in this folder, and return the records, in which nothing is wrong."""
    (folder / "mine.toml").write_text(sweep.replace('"synthetic"', '"./mine"'))
    command = [*PROGRAM, "sweep", "mine.toml", "--env", "current", "--no-report"]
    subprocess.run(command, cwd=folder, check=False, capture_output=True)
    records = list(read_recent(folder / "runs", 10))
    for record in records:
        assert record.report is not None, record.reason  # noise may bar a time, but nothing may be wrong
        assert record.report.verification.reason == ""
    return records
