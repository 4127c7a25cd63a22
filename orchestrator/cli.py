"""Command line: parses arguments, calls a command and exits with its code."""

import contextlib
import functools
import inspect
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from orchestrator.cli_env import AS_JSON, env
from orchestrator.errors import UsageError
from orchestrator.exits import ExitCode
from orchestrator.faults import describe_internal_error

DEFAULT_RUNS = Path("runs")


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure one computation in several deep-learning frameworks, and say honestly which is faster.",
)

app.add_typer(env, name="env")

FILE = Annotated[Path | None, typer.Argument(help="a sweep file in TOML; options override its settings")]
SUITE = Annotated[str | None, typer.Option(help="a predefined set of axes, by name; see `list`")]
FRAMEWORKS = Annotated[str | None, typer.Option(help="comma-separated framework[:mode]: torch:eager,tensorflow")]
WORKLOADS = Annotated[str | None, typer.Option(help="comma-separated, with parameters: rnn_cell,rnn:length=8/32")]
WORKLOAD = Annotated[list[str] | None, typer.Option(help="one more, such as a folder of your own; may be repeated")]
TASKS = Annotated[str | None, typer.Option(help="comma-separated: forward,backward,train-sgd,train-adam; or train")]
BATCH = Annotated[str | None, typer.Option(help="comma-separated batch sizes")]
DTYPE = Annotated[str | None, typer.Option(help="comma-separated: float32,float64,bfloat16")]
THREADS = Annotated[str | None, typer.Option(help="comma-separated thread counts")]
DEVICE = Annotated[str | None, typer.Option(help="comma-separated: cpu,cuda")]
TRACK = Annotated[str | None, typer.Option(help="parity (equal settings, read back) or defaults (as shipped)")]
CACHE = Annotated[str | None, typer.Option(help="cold (every process compiles anew) or warm (from filled caches)")]
SHAPES = Annotated[str | None, typer.Option(help="fixed (one shape) or stream (twelve shapes in turn)")]
ORIGIN = Annotated[str | None, typer.Option(help="source (each job builds the model) or file (loads a saved one)")]
ENV = Annotated[
    str | None, typer.Option("--env", help="default, current, a name, name@version, or the path of an interpreter")
]
BASELINE = Annotated[str | None, typer.Option(help="the framework:mode that ratios refer to (default: the first)")]
MARGIN = Annotated[float | None, typer.Option(help="relative difference too small to matter (default: 0.02)")]
RANK_BY = Annotated[str | None, typer.Option(help="time, step_peak, static, compile_peak, footprint or import")]
BUDGET = Annotated[str | None, typer.Option(help="time limit for the sweep, such as 90s, 5m or 1h")]
PRECISION = Annotated[float | None, typer.Option(help="stop once every ratio's interval has at most this half-width")]
BLOCKS = Annotated[int | None, typer.Option(help="maximum number of blocks")]
DEADLINE = Annotated[str | None, typer.Option(help="time limit for one job, such as 90s or 5m")]
MEMORY = Annotated[str | None, typer.Option(help="limit for one job and for each of its processes, such as 4GiB")]
SEED = Annotated[int | None, typer.Option(help="seed of the random order, to reproduce it")]
PROFILE = Annotated[
    bool | None, typer.Option("--profile", help="at the end, trace each cell and count the operations of a call")
]
NAME = Annotated[str | None, typer.Option(help="becomes part of the run folder's name")]
RUNS_OPTION = Annotated[Path, typer.Option("--runs", help="the folder that holds the runs")]
REPORT = Annotated[bool, typer.Option("--report/--no-report", help="write report.html into the run's folder")]

AXIS_OPTIONS = {
    "frameworks",
    "tasks",
    "batch",
    "dtype",
    "threads",
    "device",
    "track",
    "cache",
    "shapes",
    "origin",
    "environment",
}
STOP_OPTIONS = {"budget", "precision", "blocks"}
# Options that are not copied as they are.
HANDLED_SEPARATELY = {"file", "workloads", "workload"}


def build_request(
    file: FILE = None,
    suite: SUITE = None,
    frameworks: FRAMEWORKS = None,
    workloads: WORKLOADS = None,
    workload: WORKLOAD = None,
    tasks: TASKS = None,
    batch: BATCH = None,
    dtype: DTYPE = None,
    threads: THREADS = None,
    device: DEVICE = None,
    track: TRACK = None,
    cache: CACHE = None,
    shapes: SHAPES = None,
    origin: ORIGIN = None,
    environment: ENV = None,
    baseline: BASELINE = None,
    margin: MARGIN = None,
    rank_by: RANK_BY = None,
    budget: BUDGET = None,
    precision: PRECISION = None,
    blocks: BLOCKS = None,
    deadline: DEADLINE = None,
    memory: MEMORY = None,
    seed: SEED = None,
    profile: PROFILE = None,
    name: NAME = None,
) -> dict[str, Any]:
    """Merge a sweep file with the options that override it, into the data of a SweepSpec."""
    # Must stay the first statement: `locals()` holds only the parameters here.
    options = {
        option: value for option, value in locals().items() if option not in HANDLED_SEPARATELY and value is not None
    }
    from orchestrator.specfile import load_sweep_file
    from orchestrator.workloads import resolve_workload_paths, to_absolute_workload

    said = resolve_workload_paths(load_sweep_file(file), file.parent) if file is not None else {}
    if chosen := [*(() if workloads is None else split_commas(workloads)), *(workload or ())]:
        said.setdefault("axes", {})["workloads"] = [to_absolute_workload(text, Path.cwd()) for text in chosen]
    for option, value in options.items():
        if option in AXIS_OPTIONS:
            said.setdefault("axes", {})[option] = split_commas(value)
        elif option == "memory":
            said.setdefault("limits", {})[option] = value
        elif option in STOP_OPTIONS:
            said.setdefault("stop", {})[option] = value
        else:
            said[option] = value
    return said


def split_commas(text: str) -> list[str]:
    """Split a comma-separated list."""
    return [item.strip() for item in text.split(",")]


def add_sweep_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the sweep options before its own parameters, and pass it the merged request."""
    own = [*inspect.signature(command).parameters.values()][1:]
    described = inspect.signature(build_request).parameters

    @functools.wraps(command)
    def run_command(**given: Any) -> None:
        kept = {parameter.name: given.pop(parameter.name) for parameter in own}
        command(build_request(**given), **kept)

    parameters = [*described.values(), *own]
    # Typer takes the options of a command from its signature and annotations.
    run_command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run_command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run_command


@app.command(epilog="Example: python -m orchestrator sweep --workloads rnn_cell,mlp --batch 1,32 --budget 10m")
@add_sweep_options
def sweep(
    said: dict[str, Any], report: REPORT = True, runs: RUNS_OPTION = DEFAULT_RUNS, as_json: AS_JSON = False
) -> None:
    """Measure, compare, and report which is faster.

    Without arguments: PyTorch eager, traced and scripted, TensorFlow's static graph and TensorFlow eager, on one
    recurrent cell with its backward pass.
    """
    # Imported here and in the other commands: `-h` and a usage error need not wait for NumPy.
    from orchestrator import commands

    raise typer.Exit(commands.run_sweep(said, runs, page=report, as_json=as_json, command=sys.argv[1:]))


@app.command(epilog="Example: python -m orchestrator resume latest")
def resume(
    run: Annotated[str, typer.Argument(help="a run's folder, its name or part of it, or latest")] = "latest",
    force: Annotated[bool, typer.Option("--force", help="even if results would mix; marks the run MIXED")] = False,
    report: REPORT = True,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Resume an interrupted sweep: keep what was measured, and run what is missing."""
    from orchestrator import commands

    raise typer.Exit(commands.resume_run(runs, run, force=force, page=report, as_json=as_json))


@app.command(epilog="Example: python -m orchestrator plan --workloads rnn --batch 1,32")
@add_sweep_options
def plan(said: dict[str, Any], runs: RUNS_OPTION = DEFAULT_RUNS, as_json: AS_JSON = False) -> None:
    """Show what a sweep would run, and for how long. Starts nothing."""
    from orchestrator import commands

    commands.show_plan(said, runs, as_json=as_json)


@app.command("new-workload", epilog="Example: python -m orchestrator new-workload mine")
def new_workload(
    name: Annotated[str, typer.Argument(help="a-z, 0-9, _ and -, beginning with a letter")],
    at: Annotated[Path, typer.Option(help="the folder in which to create it")] = Path(),
) -> None:
    """Create the folder of a new workload: a small model that runs as it is, for you to replace."""
    from orchestrator import skeleton

    print(skeleton.describe_written(skeleton.write_template(name, at)))


@app.command("list", epilog="Example: python -m orchestrator list")
def list_(runs: RUNS_OPTION = DEFAULT_RUNS, as_json: AS_JSON = False) -> None:
    """List frameworks, modes, workloads, suites and tasks, with what is installed and what was verified here."""
    from orchestrator import commands

    commands.show_list(runs, as_json=as_json)


@app.command(epilog="Exit code: 0 if it is fit, even with reservations; 1 if it is unfit.")
def doctor(runs: RUNS_OPTION = DEFAULT_RUNS, as_json: AS_JSON = False) -> None:
    """Check whether this machine is fit to measure, what disturbs it, and what to change. Takes two seconds."""
    from orchestrator import commands

    raise typer.Exit(commands.run_doctor(runs, as_json=as_json))


@app.command(epilog="Exit code: 0 if every check passed, 1 if one failed.")
def selftest(
    aa: Annotated[bool, typer.Option("--aa", help="measure how often clones are reported as different")] = False,
    budget: Annotated[str | None, typer.Option(help="for --aa, such as 90s, 10m or 1h (default: 10m)")] = None,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Test this program on known truth: times, clones, a disturbance, cheats, crashes. Takes about two minutes."""
    from orchestrator import proving

    if not aa and budget is not None:
        raise UsageError("--budget is for --aa; add --aa, or leave it out (the self-test takes about two minutes)")
    if aa:
        raise typer.Exit(proving.run_aa_test(runs, budget or "10m", as_json=as_json, command=sys.argv[1:]))
    raise typer.Exit(proving.run_selftest(runs, as_json=as_json, command=sys.argv[1:]))


@app.command(epilog="Example: python -m orchestrator show latest 001-torch-script")
def show(
    run: Annotated[str, typer.Argument(help="a run's folder, its name or part of it, or latest")] = "latest",
    job: Annotated[str | None, typer.Argument(help="a job's name or part of it")] = None,
    repeat: Annotated[bool, typer.Option("--repeat", help="run that job again; the run stays unchanged")] = False,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Show the results of a run, or every detail of one job."""
    from orchestrator import commands

    if repeat and job is None:
        raise UsageError("--repeat is for one job; name it after the run")
    raise typer.Exit(commands.show_run(runs, run, job, repeat=repeat, as_json=as_json))


@app.command(
    epilog="Exit code: 0, or 3 if a --fail-on is certainly exceeded. Example: compare base head --fail-on slower=3%"
)
def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="a run, or RUN@ENVIRONMENT for one of its environments")],
    other: Annotated[str, typer.Argument(metavar="B", help="the run to compare with it")],
    fail_on: Annotated[list[str] | None, typer.Option(help="such as slower=3% or memory=5%; may be repeated")] = None,
    unchanged: Annotated[str | None, typer.Option(help="what has not changed, such as numpy,jax:jit,mlp")] = None,
    at_face_value: Annotated[bool, typer.Option("--at-face-value", help="no allowance for day and machine")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="print a comment for a pull request")] = False,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Report what is faster, slower or as fast in run B as in run A, and how sure that is."""
    from orchestrator import handing_on

    if markdown and as_json:
        raise UsageError("--markdown and --json exclude each other; leave one of the two out")
    raise typer.Exit(
        handing_on.compare_runs(
            runs,
            one,
            other,
            fail_on=fail_on or [],
            unchanged=unchanged.split(",") if unchanged else [],
            at_face_value=at_face_value,
            as_json=as_json,
            as_markdown=markdown,
        )
    )


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
    run: Annotated[str, typer.Argument(help="a run's folder, its name or part of it, or latest")] = "latest",
    form: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}; see docs/how-to/exports.md")] = "csv",
    per: Annotated[Literal["cell", "job", "sample"] | None, typer.Option(help="rows (default: cell)")] = None,
    output: Annotated[Path | None, typer.Option(help="a file, written completely or not at all")] = None,
    runs: RUNS_OPTION = DEFAULT_RUNS,
) -> None:
    """Export a run in the format of another program."""
    from orchestrator import handing_on

    handing_on.export_run(runs, run, form, per, output)


@app.command(epilog="Example: python -m orchestrator schema sweep > sweep.schema.json")
def schema(kind: Annotated[str, typer.Argument(help="sweep, job, event, record or manifest")] = "sweep") -> None:
    """Print the JSON Schema of a sweep file, or of a document that a run or its workers write."""
    from orchestrator import handing_on

    handing_on.print_schema(kind)


@app.command(epilog="Example: python -m orchestrator report latest --output report.html")
def report(
    run: Annotated[str, typer.Argument(help="a run's folder, its name or part of it, or latest")] = "latest",
    output: Annotated[Path | None, typer.Option(help="the file to write (default: report.html in the run)")] = None,
    runs: RUNS_OPTION = DEFAULT_RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Write a report of a run as one self-contained HTML file: the answer, charts and tables."""
    from orchestrator import commands

    commands.write_report(runs, run, output, as_json=as_json)


def main() -> None:
    """Run a command. The only place that prints a usage error and exits."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a character that the terminal cannot encode ends nothing
    try:
        app()
    except UsageError as error:
        exit_with_error(str(error))
    except OSError as error:  # a full or vanished disk, or a closed terminal: files written before are complete
        exit_with_error(f"{error.filename or 'output'}: {error.strerror}; fix that and run again")
    except Exception as error:  # a bug in this program: it loses no record, and a traceback helps no user
        exit_with_error(describe_internal_error(error), ExitCode.OWN_FAULT)


def exit_with_error(sentence: str, code: ExitCode = ExitCode.USAGE) -> None:
    """Print an error and exit; a closed standard error must not replace the exit code."""
    from orchestrator.report.units import to_printable

    with contextlib.suppress(OSError):
        print(f"error: {to_printable(sentence)}", file=sys.stderr)
    sys.exit(code)
