"""Command line as its user meets it: arguments in; exit code, output and files out."""

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.cli.execution import exit_code
from orchestrator.cli.exit_codes import ExitCode
from schemas.catalog import FRAMEWORKS
from schemas.job import JobSpec
from schemas.record import JobRecord
from schemas.sweep import Stop, SweepSpec
from tests.orchestrator.conftest import Said, a_manifest, a_run

PROGRAM = [sys.executable, "-m", "orchestrator"]
QUICK = """\
[axes]
frameworks = ["numpy", "synthetic:spin"]
workloads = ["synthetic:spin_ns=20000"]

[timing]
samples = 10
sample_ns = 5000000
warmup_min_ns = 1000000
"""

MakeRecord = Callable[..., JobRecord]
Inside = Callable[..., Said]


def run(folder: Path, *arguments: str) -> Said:
    done = subprocess.run([*PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create the folder in which this module's sweep runs."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "quick.toml").write_text(QUICK)
    return folder


@pytest.fixture(scope="module")
def swept(folder: Path) -> Said:
    return run(folder, "sweep", "quick.toml", "--json", "--blocks", "2", "--budget", "60s", "--name", "mine")


@pytest.fixture(scope="module")
def document(swept: Said) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(swept.out)
    return said


def test_a_sweep_prints_exactly_one_document(document: dict[str, Any]) -> None:
    (group,) = document["groups"]
    labels = [(cell["cell"]["framework"], cell["cell"]["replica"], cell["jobs"]) for cell in group["cells"]]
    assert labels == [("numpy", 0, 2), ("synthetic", 0, 2), ("numpy", 1, 2)]
    assert document["manifest"]["stopped"] == "all 2 blocks were run"


def test_the_exit_code_says_whether_a_job_failed(swept: Said, document: dict[str, Any]) -> None:
    outcomes = {cell["outcome"] for group in document["groups"] for cell in group["cells"]}
    assert swept.code == (ExitCode.FINE if outcomes == {"measured"} else ExitCode.SOME_JOBS_FAILED)


def cut_doubt(text: str) -> str:
    """Cut the first line if it says that this machine is busy, as it may be."""
    return text.partition("\n")[2] if text.startswith("warning: ") else text


def test_a_sweep_that_is_not_watched_speaks_in_plain_lines(swept: Said) -> None:
    lines = swept.err.splitlines()
    # Two blocks are too few for a verdict, and that is said before the first job.
    assert any("1 pair needs 6 blocks for a verdict" in line for line in lines[:2])
    lines = [line for line in lines if line.startswith("[")]
    assert [line.partition(" of about")[0] for line in lines] == [f"[{number}" for number in range(1, 7)]
    assert "\x1b" not in swept.err


def test_a_sweep_leaves_its_run_and_nothing_else(folder: Path, document: dict[str, Any]) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["quick.toml", "runs"]
    (run_folder,) = (folder / "runs").iterdir()
    assert run_folder.name == document["run"]
    assert run_folder.name.endswith("-mine")
    records = [JobRecord.model_validate_json(path.read_bytes()) for path in run_folder.glob("jobs/*.json")]
    assert len(records) == len(list(run_folder.glob("jobs/*.stderr.log"))) == 6


def test_show_tells_later_what_the_sweep_told(folder: Path, document: dict[str, Any]) -> None:
    said = run(folder, "show", "latest", "--json")
    assert said.code == 0
    assert json.loads(said.out) == document


def test_show_draws_the_table_for_a_person(folder: Path, document: dict[str, Any]) -> None:
    said = run(folder, "show", "mine")
    assert said.code == 0
    assert "numpy:eager" in said.out
    assert "Ended: all 2 blocks were run." in said.out
    assert "\x1b" not in said.out


@pytest.mark.long
def test_show_tells_the_story_of_one_job(folder: Path, document: dict[str, Any]) -> None:
    text = run(folder, "show", "latest", "001-synthetic")
    assert text.code == 0
    assert "block 1" in text.out
    assert "first call" in text.out
    record = JobRecord.model_validate_json(run(folder, "show", "latest", "002-synthetic", "--json").out)
    assert (record.spec.block, record.spec.cell.label) == (2, "synthetic:spin")


def test_a_sweep_writes_its_report_and_its_last_line_says_where(folder: Path, document: dict[str, Any]) -> None:
    page = folder / document["page"]
    assert page == folder / "runs" / document["run"] / "report.html"
    assert "numpy:eager" in page.read_text(encoding="utf-8")
    assert run(folder, "show", "mine").out.splitlines()[-1].endswith(document["page"])


def test_a_report_is_the_same_when_it_is_written_again(inside: Inside, folder: Path, document: dict[str, Any]) -> None:
    run_folder = folder / "runs" / document["run"]
    said = inside("report", str(run_folder), "--output", "again.html", "--json")
    assert (said.code, json.loads(said.out)["page"]) == (0, "again.html")
    assert Path("again.html").read_bytes() == (run_folder / "report.html").read_bytes()


def test_a_report_that_cannot_be_written_is_a_sentence(inside: Inside, folder: Path, document: dict[str, Any]) -> None:
    said = inside("report", str(folder / "runs" / document["run"]), "--output", "nowhere/x.html")
    assert said.code == ExitCode.USAGE
    assert said.err == "error: cannot write nowhere/x.html: No such file or directory; choose another with --output\n"


def test_a_report_that_cannot_be_written_costs_a_sweep_nothing(
    inside: Inside, tmp_path: Path, folder: Path, document: dict[str, Any]
) -> None:
    shutil.copytree(folder / "runs" / document["run"], tmp_path / "runs" / "copy")
    (tmp_path / "runs" / "copy" / "report.html").unlink()
    (tmp_path / "runs" / "copy" / "report.html").mkdir()
    said = inside("resume", "copy")
    assert said.code in (ExitCode.FINE, ExitCode.SOME_JOBS_FAILED)
    assert "write the report with: python -m orchestrator report copy" in said.out
    assert "Ended: all 2 blocks were run." in said.out


def test_a_mistake_in_a_picture_costs_a_sweep_nothing_either(
    inside: Inside, tmp_path: Path, folder: Path, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder / "runs" / document["run"], tmp_path / "runs" / "copy")
    (tmp_path / "runs" / "copy" / "report.html").unlink()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr("orchestrator.report.page.page.vega", None)
    said = inside("resume", "copy")
    assert said.code in (ExitCode.FINE, ExitCode.SOME_JOBS_FAILED)
    assert re.search(
        r"warning: runs/copy/report.html: this is a bug in plumbline, not your mistake: "
        r"AttributeError: .* \(\w+.py:\d+\); every finished job is kept; please report it, with \S+\.traceback",
        said.out,
    )
    (kept,) = tmp_path.glob("plumbline-*.traceback")
    assert kept.read_text().startswith("Traceback")


def without_a_place(**_: object) -> None:
    raise PermissionError


def test_a_mistake_of_the_program_is_a_sentence_and_an_exit_code_of_its_own(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.report.catalogue.build_list_document", None)
    monkeypatch.setattr("tempfile.mkstemp", without_a_place)
    said = inside("list", "--json")
    assert said.code == ExitCode.INTERNAL_ERROR
    assert said.err.startswith(
        "error: this is a bug in plumbline, not your mistake: TypeError: 'NoneType' object is not "
    )
    assert said.err.endswith("every finished job is kept\n")
    assert len(said.err.splitlines()) == 1


def test_plan_says_what_a_sweep_would_do_and_does_nothing(tmp_path: Path) -> None:
    said = run(
        tmp_path, "plan", "--frameworks", "numpy,synthetic:hang", "--workloads", "mlp", "--batch", "1,2", "--json"
    )
    assert (said.code, said.err) == (0, "")
    assert len(json.loads(said.out)["cells"]) == 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_new_workload_is_measured_as_it_was_written_wherever_it_was_named(tmp_path: Path) -> None:
    written = run(tmp_path, "new-workload", "mine")
    assert (written.code, written.err) == (0, "")
    assert written.out.splitlines()[-1] == "python -m orchestrator sweep --workload ./mine"
    quick = QUICK.replace('"synthetic:spin_ns=20000"', '".:width=3"').replace(', "synthetic:spin"', "")
    (tmp_path / "mine" / "quick.toml").write_text(quick)
    said = run(tmp_path, "sweep", "mine/quick.toml", "--blocks", "1", "--json")
    document = json.loads(said.out)
    cells = [cell["cell"] for group in document["groups"] for cell in group["cells"]]
    assert {(cell["workload"], cell["parameters"]["width"], len(cell["code"])) for cell in cells} == {("mine", 3, 16)}
    assert document["manifest"]["sweep"]["axes"]["workloads"] == [f"{tmp_path.resolve()}/mine:width=3"]
    assert cut_doubt(said.err).startswith(f"workload mine: runs the code in {tmp_path.resolve()}/mine (hash ")
    (tmp_path / "elsewhere").mkdir()
    assert run(tmp_path / "elsewhere", "resume", "latest", "--runs", str(tmp_path / "runs")).code == said.code
    (tmp_path / "mine" / "reference.py").write_text("")
    edited = run(tmp_path, "resume")
    assert edited.code == ExitCode.USAGE
    assert "cannot be resumed: the code of mine has changed; begin a new run" in edited.err


def test_a_workload_is_one_more_beside_those_that_commas_separate(inside: Inside, tmp_path: Path) -> None:
    inside("new-workload", "mine", "--at", str(tmp_path / "at"))
    said = inside(
        "plan",
        "--frameworks",
        "numpy",
        "--workloads",
        "rnn,mlp",
        "--workload",
        "at/mine:width=2",
        "--workload",
        "rnn_cell",
        "--json",
    )
    cells = [each["cell"]["workload"] for each in json.loads(said.out)["cells"] if not each["cell"]["replica"]]
    assert cells == ["rnn", "mlp", "mine", "rnn_cell"]


def test_a_folder_that_is_no_workload_is_a_usage_error_and_leaves_nothing(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = inside("sweep", "--workload", "./empty")
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    assert "empty is not a workload: it has no workload.toml" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_list_says_what_there_is(tmp_path: Path) -> None:
    said = run(tmp_path, "list", "--json")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["tasks"]
    assert list(tmp_path.iterdir()) == []


def test_options_override_what_a_file_says(folder: Path) -> None:
    said = run(
        folder, "plan", "quick.toml", "--frameworks", "synthetic:spin", "--batch", "7", "--budget", "5m", "--json"
    )
    sweep = json.loads(said.out)["sweep"]
    assert (sweep["axes"]["frameworks"], sweep["axes"]["batch"]) == (["synthetic:spin"], [7])
    assert (sweep["stop"]["budget"], sweep["timing"]["samples"]) == (300, 10)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sweep", "--frameworks", "torhc"], "did you mean torch or tract?"),
        (["sweep", "--frameworks", "numpy", "--workloads", "mlp:dept=3"], "did you mean depth?"),
        (["sweep", "--frameworks", "numpy", "--dtype", "bfloat16"], "nothing to run: numpy does not compute in"),
        (["sweep", "--frameworks", "numpy", "--baseline", "numpy"], "did you mean numpy:eager?"),
        (["sweep", "--frameworks", "numpy", "--batch", "1,,2"], "axes.batch.1: "),
        (["sweep", "--frameworks", "numpy", "--name", "../up"], "name: string should match"),
        (["sweep", "--frameworks", "numpy", "--runs", "file/runs"], "cannot write a run to file/runs"),
        (["plan", "--budget", "soon"], "stop.budget: "),
        (["plan", "--frameworks", "numpy", "--budget", "inf"], "stop.budget: "),
        (["sweep", "nothing.toml"], "cannot read nothing.toml: No such file"),
        (["sweep", "file"], "file:1: unknown key 'nmae'; did you mean name"),
        (["show"], "there are no runs in runs; start one with"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2_and_nothing_is_made(
    inside: Inside, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "file").write_text("nmae = 'x'\n")
    said = inside(*arguments)
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    assert sentence in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_mistake_is_the_same_in_a_real_process(tmp_path: Path) -> None:
    said = run(tmp_path, "sweep", "--frameworks", "torhc")
    assert said == Said(ExitCode.USAGE, "", "error: unknown framework 'torhc'; did you mean torch or tract?\n")


@pytest.mark.parametrize(
    "arguments", [["swep"], ["sweep", "--frameworks"], ["sweep", "--blocks", "few"], ["show", "--x"]]
)
def test_arguments_that_make_no_sense_are_refused(inside: Inside, arguments: list[str]) -> None:
    said = inside(*arguments)
    assert (said.code, said.out) == (ExitCode.USAGE, "")


@pytest.mark.parametrize(
    "text", ["[timing]\nsamples = 1" + "0" * 400, "[stop]\nbudget = 1e400", "[axes]\nthreads = [0x{}]"]
)
def test_numbers_beyond_all_reason_are_planned_or_refused(inside: Inside, tmp_path: Path, text: str) -> None:
    (tmp_path / "x.toml").write_text(text.format("f" * 5000))
    assert inside("plan", "x.toml", "--frameworks", "numpy").code in (ExitCode.FINE, ExitCode.USAGE)


@pytest.mark.long
def test_a_job_that_failed_is_exit_code_1_and_the_others_are_kept(folder: Path, swept: Said) -> None:
    said = run(
        folder,
        "sweep",
        "quick.toml",
        "--frameworks",
        "synthetic:raise,synthetic:wrong",
        "--blocks",
        "1",
        "--runs",
        "failing",
        "--no-report",
    )
    assert said.code == ExitCode.SOME_JOBS_FAILED
    assert "report.html" not in said.out
    assert list(folder.glob("failing/*/report.html")) == []
    assert "ArithmeticError: the synthetic worker was told to raise" in said.out
    assert "Not ranked: synthetic:wrong (wrong: " in " ".join(said.out.split())
    assert len(list(folder.glob("failing/*/jobs/*.json"))) == 3


@pytest.mark.parametrize(
    ("outcomes", "interrupted", "code"),
    [
        ([], False, ExitCode.FINE),
        (["measured", "unsupported"], False, ExitCode.FINE),
        (["measured", "wrong"], False, ExitCode.SOME_JOBS_FAILED),
        (["timeout"], False, ExitCode.SOME_JOBS_FAILED),
        (["measured", "interrupted"], True, ExitCode.INTERRUPTED),
    ],
)
def test_an_exit_code_says_what_became_of_the_jobs(
    make_record: MakeRecord, outcomes: list[str], code: ExitCode, *, interrupted: bool
) -> None:
    run = a_run(a_manifest([]), [make_record(outcome=outcome) for outcome in outcomes])
    assert exit_code(run, interrupted=interrupted) == code


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_was_measured_and_leaves_nothing_running(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "quick.toml").write_text(QUICK)
    command = [*PROGRAM, "sweep", "quick.toml", "--blocks", "32", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        # The lines before are about the plan.
        while not (line := program.stderr.readline()).startswith("["):
            assert line
        assert line.startswith("[1 of about")
        workers = psutil.Process(program.pid).children(recursive=True)
        program.send_signal(number)
        out, err = program.communicate(timeout=60)
    assert program.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in err
    document = json.loads(out)
    assert document["manifest"]["stopped"] == f"stopped by {number.name}"
    last = err.splitlines()[-1]
    assert last == f"This run is unfinished. Continue it with: python -m orchestrator resume {document['run']}"
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]
    records = [JobRecord.model_validate_json(path.read_bytes()) for path in tmp_path.glob("runs/*/jobs/*.json")]
    outcomes = [record.outcome for record in sorted(records, key=order)]
    assert len(outcomes) >= 1
    assert "interrupted" not in outcomes[:-1]
    assert run(tmp_path, "show", "latest").code == 0


def order(record: JobRecord) -> tuple[int, int]:
    spec: JobSpec = record.spec
    return spec.block, spec.position


@pytest.mark.parametrize(
    ("arguments", "said"), [(["sweep", "-h"], "--frameworks"), (["plan"], "torch:eager"), (["list"], "torch")]
)
def test_what_only_prints_does_not_wait_for_numpy(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "orchestrator", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said in done.stdout
    assert "orchestrator.cli" in done.stderr
    assert "numpy" not in done.stderr


@pytest.mark.parametrize("arguments", [["plan", "--frameworks", "numpy"], ["list"], ["resume", "-h"], ["sweep", "-h"]])
def test_what_runs_here_does_not_wait_for_what_other_machines_need(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "orchestrator", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "orchestrator.cli.app" in imported
    beyond = ("orchestrator.execution.shares", "orchestrator.cli.shared", "orchestrator.planning.cluster_file", "mmap")
    assert [name for name in imported if name.startswith(beyond)] == []


def test_the_commands_of_a_sweep_do_not_import_what_other_machines_need() -> None:
    modules = ("plan", "resume", "sweep")
    names = ", ".join(f"orchestrator.cli.commands.{name}" for name in modules)
    program = f"import sys, {names}; print([n for n in sys.modules if n.startswith('orchestrator.execution.shares')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_reader_that_stops_reading_is_not_a_crash(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "list", "--json"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert "Traceback" not in program.stderr.read()


def test_the_version_is_that_of_the_program_and_of_each_framework_beside_it(inside: Inside) -> None:
    said = inside("--version")
    assert (said.code, said.err) == (ExitCode.FINE, "")
    first, python, *others = said.out.splitlines()
    assert re.fullmatch(r"plumbline \S.*", first)
    assert python == f"Python {platform.python_version()}"
    names = {name for framework in FRAMEWORKS for name in framework.distributions}
    installed = {each.metadata["Name"].lower().replace("_", "-"): each.version for each in metadata.distributions()}
    assert dict(line.split(" ") for line in others) == {name: installed[name] for name in names & installed.keys()}


def test_the_version_imports_no_framework_and_needs_no_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert imported & {"numpy", "torch", "tensorflow", "jax", "onnxruntime", "openvino"} == set()


def format_default(value: float) -> set[str]:
    """Return the forms in which help may state a default."""
    return {f"{value:g}", f"{value / 60:g}m"}


@pytest.mark.parametrize("command", ["sweep", "plan"])
def test_help_states_the_defaults_of_the_schema(inside: Inside, command: str) -> None:
    text, stop, spec = " ".join(inside(command, "-h").out.split()), Stop(), SweepSpec()
    defaults = {
        "budget": stop.budget,
        "precision": stop.precision,
        "blocks": stop.blocks,
        "margin": spec.margin,
        "deadline": spec.deadline,
    }
    for option, value in defaults.items():
        found = re.search(rf"--{option} \S+ (?:(?! --).)*?\(default: ([^)]*)\)", text)
        assert found is not None, option
        assert found[1] in format_default(value), option


STRANGE = os.fsdecode(b"n\xf6t utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sweep", "--frameworks", "numpy", "--runs", STRANGE], "choose a folder with --runs"),
        (["sweep", "--frameworks", "numpy", "--workload", f"./{STRANGE}"], "there is no folder"),
        (["sweep", "--frameworks", "numpy", "--env", f"/{STRANGE}/python"], "name another interpreter"),
        (["sweep", STRANGE], "cannot read n\ufffdt utf-8"),
        (["sweep", "--frameworks", STRANGE], "unknown framework"),
        (["new-workload", STRANGE], "a-z"),
    ],
)
def test_a_path_that_is_no_text_is_refused_in_one_line_and_nothing_is_made(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    said = run(tmp_path, *arguments)
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    (line,) = said.err.splitlines()
    assert sentence in line
    assert list(tmp_path.iterdir()) == []


def test_a_workload_in_a_folder_whose_path_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / STRANGE
    folder.mkdir()
    assert run(folder, "new-workload", "mine").code == ExitCode.FINE
    said = run(folder / "mine", "sweep", "--frameworks", "numpy", "--workload", ".")
    assert said.code == ExitCode.USAGE
    assert said.err.endswith("is not UTF-8, and no record can name it; rename the folder\n")
    assert not (folder / "mine" / "runs").exists()


@pytest.mark.long
def test_results_are_written_and_read_where_a_path_is_no_text(
    folder: Path, tmp_path: Path, document: dict[str, Any]
) -> None:
    place = tmp_path / STRANGE / "runs"
    shutil.copytree(folder / "runs" / document["run"], place / "copy")
    said = run(tmp_path, "show", "copy", "--runs", str(place), "--json")
    assert (said.code, said.err) == (ExitCode.FINE, "")
    assert json.loads(said.out)["manifest"] == document["manifest"]
    for arguments in (["report", "copy", "--output"], ["export", "copy", "--output"]):
        output = tmp_path / STRANGE / arguments[0]
        said = run(tmp_path, *arguments, str(output), "--runs", str(place))
        assert (said.code, said.err, output.is_file()) == (ExitCode.FINE, "", True)
    assert run(tmp_path, "resume", "copy", "--runs", str(place)).code == ExitCode.USAGE


@pytest.mark.long
def test_an_argument_that_is_no_text_is_recorded_as_it_was_typed(tmp_path: Path) -> None:
    (tmp_path / STRANGE).write_text(QUICK)
    said = run(tmp_path, "sweep", STRANGE, "--frameworks", "numpy", "--blocks", "1", "--json", "--no-report")
    assert json.loads(said.out)["manifest"]["command"][1] == "n\\xf6t utf-8"
