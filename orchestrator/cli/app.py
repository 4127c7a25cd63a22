"""Command line: parses arguments, calls a command and exits with its code."""

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from orchestrator.cli.completion import DEFAULT_RUNS, complete_run
from orchestrator.cli.env_app import AS_JSON, env
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.internal_error import describe_internal_error
from orchestrator.cli.sweep_options import CALLS, add_sweep_options
from orchestrator.errors import UsageError

# The command that an installation adds, and what a shell that completes it asks by.
COMMAND = "plumbline"
COMPLETION_VARIABLE = "_PLUMBLINE_COMPLETE"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(env, name="env")


def print_version(wanted: bool) -> None:
    """Print the versions of this program and of the frameworks beside it, and exit."""
    if wanted:
        from orchestrator.cli.commands.version import describe_versions

        print(describe_versions())
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="print the versions of this program and of the frameworks beside it",
            callback=print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Measure one computation in several deep-learning frameworks, and say honestly which is faster."""


RUN = Annotated[
    str, typer.Argument(help="a run's folder, its name or part of it, or latest", autocompletion=complete_run)
]
RUNS_OPTION = Annotated[Path, typer.Option("--runs", help="the folder that holds the runs")]
WAIT = Annotated[bool, typer.Option("--wait", help="wait if another sweep measures on the cores")]
ONLY = Annotated[str, typer.Option("--only", help="a part of the names of the computations to show")]
COMPARE_BY = Annotated[
    str | None, typer.Option(help="compare each mode with itself along an axis of the run, such as threads or length")
]
DETAILS = Annotated[bool, typer.Option("--details", help="also print break-evens, memory, environments, all sentences")]
REPORT = Annotated[bool, typer.Option("--report/--no-report", help="write report.html into the run's folder")]


@app.command(epilog="Example: python -m orchestrator sweep --workloads rnn_cell,mlp --batch 1,32 --budget 10m")
@add_sweep_options
def sweep(
    request: dict[str, Any],
    wait: WAIT = False,
    details: DETAILS = False,
    report: REPORT = True,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Measure, compare, and report which is faster.

    Without arguments: PyTorch eager, traced and scripted, TensorFlow's static graph and TensorFlow eager, on one
    recurrent cell with its backward pass.
    """
    # Imported here and in the other commands: `-h` and a usage error need not wait for NumPy.
    from orchestrator.cli.commands.sweep import run_sweep
    from orchestrator.cli.results import OutputForms

    wanted = OutputForms(page=report, as_json=as_json, details=details)
    raise typer.Exit(run_sweep(request, runs, wanted, wait=wait, command=read_command()))


@app.command(epilog="Example: python -m orchestrator resume latest --blocks +2")
def resume(
    run: RUN = "latest",
    force: Annotated[bool, typer.Option("--force", help="even if results would mix; marks the run MIXED")] = False,
    blocks: Annotated[str | None, typer.Option(help="extend it to this many blocks, or by more: +2")] = None,
    budget: Annotated[str | None, typer.Option(help="extend its time limit to 10m, or by more: +5m")] = None,
    precision: Annotated[float | None, typer.Option(help="continue until this half-width, such as 0.01")] = None,
    calls: CALLS = None,
    wait: WAIT = False,
    details: DETAILS = False,
    report: REPORT = True,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Resume an interrupted sweep, or extend a finished one: keep what was measured, and run what is missing."""
    from orchestrator.cli.commands.resume import resume_run
    from orchestrator.cli.results import OutputForms
    from orchestrator.planning.extension import ExtensionRequest

    wanted = OutputForms(page=report, as_json=as_json, details=details, calls=calls)
    asked = ExtensionRequest(blocks=blocks, budget=budget, precision=precision)
    raise typer.Exit(resume_run(runs, run, wanted, force=force, wait=wait, asked=asked))


@app.command(epilog="Example: python -m orchestrator plan --workloads rnn --batch 1,32")
@add_sweep_options
def plan(request: dict[str, Any], runs: RUNS_OPTION = DEFAULT_RUNS, as_json: AS_JSON = False) -> None:
    """Show what a sweep would run, and for how long. Starts nothing."""
    from orchestrator.cli.commands.plan import show_plan

    show_plan(request, runs, as_json=as_json)


@app.command("share", hidden=True)
def run_share(
    node: Annotated[str, typer.Option(help="the name of this node (default: that of the machine)")] = "",
) -> None:
    """Measure the blocks that a request on standard input asks for. A command for the programs that place shares."""
    from orchestrator.cli.commands.share import measure_requested_share

    raise typer.Exit(measure_requested_share(node))


@app.command("cluster-job", epilog="Example: cluster-job latest --image plumbline --claim runs | kubectl apply -f -")
def show_cluster_job(
    image: Annotated[str, typer.Option(help="a container image with this version of the program")],
    claim: Annotated[str, typer.Option(help="the volume claim that holds the folder of the runs")],
    run: RUN = "latest",
    form: Annotated[Literal["kubernetes"], typer.Option("--format", help="kubernetes")] = "kubernetes",  # noqa: ARG001
    runs: RUNS_OPTION = DEFAULT_RUNS,
) -> None:
    """Print the job of a cluster for the shares of a run of `sweep --on kubernetes` that have not begun."""
    from orchestrator.cli.commands.cluster_job import print_cluster_job

    print_cluster_job(runs, run, image, claim)


@app.command("new-workload", epilog="Example: python -m orchestrator new-workload mine")
def new_workload(
    name: Annotated[str, typer.Argument(help="a-z, 0-9, _ and -, beginning with a letter")],
    at: Annotated[Path, typer.Option(help="the folder in which to create it")] = Path(),
) -> None:
    """Create the folder of a new workload: a small model that runs as it is, for you to replace."""
    from orchestrator.processes.signals import postpone_signals
    from orchestrator.registry import workload_template

    with postpone_signals():
        written = workload_template.write_template(name, at)
    print(workload_template.describe_written(written))


@app.command("list", epilog="Example: python -m orchestrator list")
def list_(runs: RUNS_OPTION = DEFAULT_RUNS, as_json: AS_JSON = False) -> None:
    """List frameworks, modes, workloads, suites and tasks, with what is installed and what was verified here."""
    from orchestrator.cli.commands.list import show_list

    show_list(runs, as_json=as_json)


@app.command(epilog="Exit code: 0 if it is fit, even with reservations; 1 if it is unfit.")
def doctor(runs: RUNS_OPTION = DEFAULT_RUNS, as_json: AS_JSON = False) -> None:
    """Check whether this machine is fit to measure, what disturbs it, and what to change. Takes two seconds."""
    from orchestrator.cli.commands.doctor import run_doctor

    raise typer.Exit(run_doctor(runs, as_json=as_json))


@app.command(epilog="Exit code: 0 if every check passed, 1 if one failed.")
def selftest(
    aa: Annotated[bool, typer.Option("--aa", help="measure how often clones are reported as different")] = False,
    budget: Annotated[str | None, typer.Option(help="for --aa, such as 90s, 10m or 1h (default: 10m)")] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="measure models that cheat and honest ones that are odd (some minutes)")
    ] = False,
    wait: WAIT = False,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Test this program on known truth: times, clones, a disturbance, cheats, crashes. Takes about two minutes."""
    from orchestrator.cli.commands.selftest import run_aa_test, run_selftest, run_trust_test

    if aa and trust:
        raise UsageError("--aa and --trust are two tests; choose one")
    if not aa and budget is not None:
        raise UsageError("--budget is for --aa; add --aa, or leave it out (the self-test takes about two minutes)")
    if aa:
        raise typer.Exit(run_aa_test(runs, budget or "10m", as_json=as_json, wait=wait, command=read_command()))
    if trust:
        raise typer.Exit(run_trust_test(runs, as_json=as_json, wait=wait, command=read_command()))
    raise typer.Exit(run_selftest(runs, as_json=as_json, wait=wait, command=read_command()))


@app.command(epilog="Example: python -m orchestrator show latest 001-torch-script")
def show(
    run: RUN = "latest",
    job: Annotated[str | None, typer.Argument(help="a job's name or part of it")] = None,
    repeat: Annotated[bool, typer.Option("--repeat", help="run that job again; the run stays unchanged")] = False,
    wait: WAIT = False,
    calls: CALLS = None,
    compare_by: COMPARE_BY = None,
    only: ONLY = "",
    details: DETAILS = False,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Show the results of a run, or every detail of one job."""
    from orchestrator.cli.commands.show import show_run
    from orchestrator.cli.results import OutputForms

    if repeat and job is None:
        raise UsageError("--repeat is for one job; name it after the run")
    if wait and not repeat:
        raise UsageError("--wait is for --repeat; add --repeat, or leave it out, since showing a run needs no core")
    if job is not None:
        check_of_one_job({"--details": details, "--calls": calls, "--compare-by": compare_by, "--only": only})
    wanted = OutputForms(page=False, as_json=as_json, details=details, calls=calls)
    raise typer.Exit(show_run(runs, run, job, wanted, repeat=repeat, wait=wait, compare_by=compare_by, only=only))


# What a user is told who gives an option of a whole run together with a job.
OF_A_RUN = {
    "--details": "leave it out, since a job is always shown in full",
    "--calls": "leave out the job",
    "--compare-by": "leave it out to see one job",
    "--only": "leave it out to see one job",
}


def check_of_one_job(given: Mapping[str, object]) -> None:
    """Check that none of these options is given.

    Raises:
        UsageError: one is.
    """
    for option, value in given.items():
        if value:
            raise UsageError(f"{option} is for a whole run; {OF_A_RUN[option]}")


@app.command(epilog="From a laptop: ssh -L 8017:localhost:8017 HOST, and open the address that was printed.")
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="port of this machine; 0: any free one")] = 8017,
    runs: RUNS_OPTION = DEFAULT_RUNS,
) -> None:
    """Show the runs of a folder in a browser, also while they run. Answers to this machine alone."""
    from orchestrator.cli.commands.serve import serve_folder

    serve_folder(runs, port)


@app.command(
    epilog="Exit code: 0; 3 if a --fail-on is certainly exceeded, 4 if one could be judged on no cell. "
    "Example: compare base head --fail-on slower=3%"
)
def compare(
    one: Annotated[
        str,
        typer.Argument(
            metavar="A", help="a run, or RUN@ENVIRONMENT for one of its environments", autocompletion=complete_run
        ),
    ],
    other: Annotated[str, typer.Argument(metavar="B", help="the run to compare with it", autocompletion=complete_run)],
    fail_on: Annotated[list[str] | None, typer.Option(help="such as slower=3% or memory=5%; may be repeated")] = None,
    unchanged: Annotated[str | None, typer.Option(help="what has not changed, such as numpy,jax:jit,mlp")] = None,
    at_face_value: Annotated[bool, typer.Option("--at-face-value", help="no allowance for day and machine")] = False,
    across: Annotated[str | None, typer.Option(help="code: compare cells although their workload was edited")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="print a comment for a pull request")] = False,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Report what is faster, slower or as fast in run B as in run A, and how sure that is."""
    from orchestrator.cli.commands.compare import compare_runs

    if markdown and as_json:
        raise UsageError("--markdown and --json exclude each other; leave one of the two out")
    raise typer.Exit(
        compare_runs(
            runs,
            one,
            other,
            {
                "unchanged": unchanged.split(",") if unchanged else [],
                "at_face_value": at_face_value,
                "across": [across] if across else [],
            },
            fail_on=fail_on or [],
            as_json=as_json,
            as_markdown=markdown,
        )
    )


@app.command(epilog="Example: python -m orchestrator history --cell torch:eager --since 90d")
def history(
    cell: Annotated[str | None, typer.Option(help="the cells to show, by a part of mode or computation")] = None,
    since: Annotated[
        str | None, typer.Option(help="the first date (local), days (30d), commit, or version (torch==2.13.0)")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="also write a page for a browser to this file")] = None,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Show the times of cells over many runs of one type of machine, and when they became slower or faster."""
    from orchestrator.cli.commands.history import show_histories

    show_histories(runs, cell, since, page, as_json=as_json)


# Repeated from the exporters, whose import would delay `-h`; a test compares the two.
FORMATS = (
    "csv",
    "parquet",
    "jsonl",
    "markdown",
    "pyperf",
    "github-action-benchmark",
    "bencher",
    "openmetrics",
    "perfetto",
)


@app.command(epilog="Example: python -m orchestrator export latest --format csv --per job --output jobs.csv")
def export(
    run: RUN = "latest",
    form: Annotated[
        str,
        typer.Option(
            "--format", help=f"{', '.join(FORMATS)}; see docs/how-to/exports.md", autocompletion=lambda: FORMATS
        ),
    ] = "csv",
    per: Annotated[Literal["cell", "job", "sample"] | None, typer.Option(help="rows (default: cell)")] = None,
    output: Annotated[Path | None, typer.Option(help="a file, written completely or not at all")] = None,
    runs: RUNS_OPTION = DEFAULT_RUNS,
) -> None:
    """Export a run in the format of another program."""
    from orchestrator.cli.commands.export import export_run

    export_run(runs, run, form, per, output)


@app.command(epilog="Example: python -m orchestrator schema sweep > sweep.schema.json")
def schema(
    kind: Annotated[str, typer.Argument(help="sweep, job, event, record, manifest or publication")] = "sweep",
) -> None:
    """Print the JSON Schema of a sweep file, or of a document that a run or its workers write."""
    from orchestrator.cli.commands.schema import print_schema

    print_schema(kind)


@app.command(epilog="Example: python -m orchestrator report latest --output report.html")
def report(
    run: RUN = "latest",
    output: Annotated[Path | None, typer.Option(help="the file to write (default: report.html in the run)")] = None,
    compare_by: COMPARE_BY = None,
    only: ONLY = "",
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Write a report of a run as one self-contained HTML file: the answer, charts and tables."""
    from orchestrator.cli.commands.report import write_report

    write_report(runs, run, output, compare_by=compare_by, only=only, as_json=as_json)


@app.command(epilog="Example: python -m orchestrator publish latest --to results")
def publish(
    to: Annotated[Path, typer.Option("--to", help="the folder of publications")],
    run: RUN = "latest",
    with_code: Annotated[
        bool, typer.Option("--with-code", help="also publish the files of your own workloads")
    ] = False,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Write a run, without names of people, machines and places, into a folder that others can check with `admit`."""
    from orchestrator.cli.commands.publish import run_publish

    run_publish(runs, run, to, with_code=with_code, as_json=as_json)


@app.command(epilog="Exit code: 0 if all are admitted, 1 if one is refused. Example: admit results")
def admit(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a publication, or a folder of publications")],
    as_json: AS_JSON = False,
) -> None:
    """Recompute publications from their samples, and refuse what does not hold."""
    from orchestrator.cli.commands.admit import run_admit

    raise typer.Exit(run_admit(folder, as_json=as_json))


@app.command(epilog="Example: python -m orchestrator site results --to site")
def site(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder of publications")],
    to: Annotated[Path, typer.Option("--to", help="the folder of the pages, which is replaced")],
    day: Annotated[
        str | None, typer.Option("--date", help="day from which ages are counted (default: that of the newest run)")
    ] = None,
    as_json: AS_JSON = False,
) -> None:
    """Make static pages of published runs: one for each computation and type of machine."""
    from orchestrator.cli.commands.site import run_site

    run_site(folder, to, day, as_json=as_json)


def read_command() -> list[str]:
    """Return the arguments of this command as text; a path among them may be any bytes."""
    return [os.fsencode(argument).decode(errors="backslashreplace") for argument in sys.argv[1:]]


def main() -> None:
    """Run a command. The only place that prints a usage error and exits."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a character that the terminal cannot encode ends nothing
    try:
        # A shell cannot complete `python -m orchestrator`, which is Python's command to it.
        is_about_completion = sys.argv[1:2] in (["--install-completion"], ["--show-completion"])
        app(prog_name=COMMAND if is_about_completion else None, complete_var=COMPLETION_VARIABLE)
    except UsageError as error:
        exit_with_error(str(error))
    except OSError as error:  # a full or vanished disk, or a closed terminal: files written before are complete
        exit_with_error(f"{error.filename or 'output'}: {error.strerror}; fix that and run again")
    except Exception as error:  # a bug in this program: it loses no record, and a traceback helps no user
        exit_with_error(describe_internal_error(error), ExitCode.INTERNAL_ERROR)


def exit_with_error(sentence: str, code: ExitCode = ExitCode.USAGE) -> None:
    """Print an error and exit; a closed standard error must not replace the exit code."""
    from orchestrator.format import to_printable

    with contextlib.suppress(OSError):
        print(f"error: {to_printable(sentence)}", file=sys.stderr)
    sys.exit(code)
