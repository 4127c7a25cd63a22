"""The command line: arguments in, exit codes out."""

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
from orchestrator.exits import Exit
from orchestrator.faults import described

RUNS = Path("runs")


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure one computation in several deep-learning frameworks, and say honestly which is faster.",
)

app.add_typer(env, name="env")

FILE = Annotated[Path | None, typer.Argument(help="a sweep file in TOML; options override what it says")]
SUITE = Annotated[str | None, typer.Option(help="a set of axes by name; `list` shows them")]
FRAMEWORKS = Annotated[str | None, typer.Option(help="comma-separated framework:mode, such as torch:eager,tensorflow")]
WORKLOADS = Annotated[str | None, typer.Option(help="comma-separated, with parameters: rnn_cell,rnn:length=8/32")]
WORKLOAD = Annotated[list[str] | None, typer.Option(help="one more, such as the folder of your own; may be repeated")]
TASKS = Annotated[str | None, typer.Option(help="comma-separated: forward,backward,train-sgd,train-adam; or train")]
BATCH = Annotated[str | None, typer.Option(help="comma-separated batch sizes")]
DTYPE = Annotated[str | None, typer.Option(help="comma-separated: float32,float64,bfloat16")]
THREADS = Annotated[str | None, typer.Option(help="comma-separated numbers of threads")]
DEVICE = Annotated[str | None, typer.Option(help="comma-separated: cpu,cuda")]
TRACK = Annotated[str | None, typer.Option(help="parity (equal settings, read back) or defaults (as shipped)")]
CACHE = Annotated[str | None, typer.Option(help="cold (every process compiles anew) or warm (it finds that done)")]
SHAPES = Annotated[str | None, typer.Option(help="fixed (one shape) or stream (twelve shapes in turn)")]
ORIGIN = Annotated[str | None, typer.Option(help="source (each job builds the model) or file (it loads a saved one)")]
ENV = Annotated[
    str | None, typer.Option("--env", help="default, current, a name, name@version or an interpreter's path")
]
BASELINE = Annotated[str | None, typer.Option(help="the framework:mode that ratios are to; otherwise the first")]
MARGIN = Annotated[float | None, typer.Option(help="differences below this share do not matter (0.02)")]
RANK_BY = Annotated[str | None, typer.Option(help="time, step_peak, static, compile_peak, footprint or import")]
BUDGET = Annotated[str | None, typer.Option(help="such as 90s, 5m or 1h")]
PRECISION = Annotated[float | None, typer.Option(help="stop at this half-width of every ratio's interval")]
BLOCKS = Annotated[int | None, typer.Option(help="never more blocks than this")]
DEADLINE = Annotated[str | None, typer.Option(help="for one job, such as 90s or 5m")]
MEMORY = Annotated[str | None, typer.Option(help="for one job and each of its processes, such as 4GiB")]
SEED = Annotated[int | None, typer.Option(help="of the random order, to repeat it")]
PROFILE = Annotated[
    bool | None, typer.Option("--profile", help="at the end, trace each cell and count what a call does")
]
NAME = Annotated[str | None, typer.Option(help="becomes part of the run folder's name")]
ROOT = Annotated[Path, typer.Option("--runs", help="the folder that holds the runs")]
REPORT = Annotated[bool, typer.Option("--report/--no-report", help="write report.html into the run's folder")]

AXES = {
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
STOP = {"budget", "precision", "blocks"}
APART = {"file", "workloads", "workload"}


def request(
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
    """What a file says, overridden by what the options say, as the data of a SweepSpec."""
    options = {option: value for option, value in locals().items() if option not in APART and value is not None}
    from orchestrator.specfile import load
    from orchestrator.workloads import absolute, placed

    said = placed(load(file), file.parent) if file is not None else {}
    if chosen := [*(() if workloads is None else listed(workloads)), *(workload or ())]:
        said.setdefault("axes", {})["workloads"] = [absolute(text, Path.cwd()) for text in chosen]
    for option, value in options.items():
        if option in AXES:
            said.setdefault("axes", {})[option] = listed(value)
        elif option == "memory":
            said.setdefault("limits", {})[option] = value
        elif option in STOP:
            said.setdefault("stop", {})[option] = value
        else:
            said[option] = value
    return said


def listed(text: str) -> list[str]:
    """What commas separate."""
    return [item.strip() for item in text.split(",")]


def requesting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the arguments of `request` before its own, and hand it what they come to."""
    own = [*inspect.signature(command).parameters.values()][1:]
    described = inspect.signature(request).parameters

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        kept = {parameter.name: given.pop(parameter.name) for parameter in own}
        command(request(**given), **kept)

    parameters = [*described.values(), *own]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


@app.command(epilog="Example: python -m orchestrator sweep --workloads rnn_cell,mlp --batch 1,32 --budget 10m")
@requesting
def sweep(said: dict[str, Any], report: REPORT = True, runs: ROOT = RUNS, as_json: AS_JSON = False) -> None:
    """Measure, compare, and say which is faster.

    Without arguments: PyTorch eager, traced and scripted, TensorFlow's static graph and TensorFlow eager, on one
    recurrent cell with its backward pass.
    """
    from orchestrator import commands

    raise typer.Exit(commands.sweep(said, runs, page=report, as_json=as_json, command=sys.argv[1:]))


@app.command(epilog="Example: python -m orchestrator resume latest")
def resume(
    run: Annotated[str, typer.Argument(help="a run's folder, its name or part of it, or latest")] = "latest",
    force: Annotated[bool, typer.Option("--force", help="even if numbers would mix; the run says so")] = False,
    report: REPORT = True,
    runs: ROOT = RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Go on with a sweep that was interrupted: what is measured is kept, what is missing is run."""
    from orchestrator import commands

    raise typer.Exit(commands.resume(runs, run, force=force, page=report, as_json=as_json))


@app.command(epilog="Example: python -m orchestrator plan --workloads rnn --batch 1,32")
@requesting
def plan(said: dict[str, Any], runs: ROOT = RUNS, as_json: AS_JSON = False) -> None:
    """Say what a sweep would run, and for how long. Starts nothing."""
    from orchestrator import commands

    commands.plan(said, runs, as_json=as_json)


@app.command("new-workload", epilog="Example: python -m orchestrator new-workload mine")
def new_workload(
    name: Annotated[str, typer.Argument(help="of a-z, 0-9, _ and -, beginning with a letter")],
    at: Annotated[Path, typer.Option(help="the folder to make it in")] = Path(),
) -> None:
    """Write the folder of a workload of your own: a small model that runs as it is, to be replaced by yours."""
    from orchestrator import skeleton

    print(skeleton.told(skeleton.write(name, at)))


@app.command("list", epilog="Example: python -m orchestrator list")
def list_(runs: ROOT = RUNS, as_json: AS_JSON = False) -> None:
    """List frameworks and modes with what is installed, workloads, suites, tasks, and what was verified here."""
    from orchestrator import commands

    commands.list_(runs, as_json=as_json)


@app.command(epilog="Exit code: 0 if it is fit, also with reservations; 1 if it is unfit.")
def doctor(runs: ROOT = RUNS, as_json: AS_JSON = False) -> None:
    """Say whether this machine is fit to measure, what disturbs it now, and what to change. Takes two seconds."""
    from orchestrator import commands

    raise typer.Exit(commands.doctor(runs, as_json=as_json))


@app.command(epilog="Exit code: 0 if every promise was kept, 1 if one was broken.")
def selftest(
    aa: Annotated[bool, typer.Option("--aa", help="measure how often clones of one cell are told apart")] = False,
    budget: Annotated[str | None, typer.Option(help="for --aa, such as 90s, 10m or 1h (10m)")] = None,
    runs: ROOT = RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Try this instrument on known truth: times, equals, a disturbance, cheats, crashes. Takes about two minutes."""
    from orchestrator import proving

    if not aa and budget is not None:
        raise UsageError("--budget is for --aa; without it the self-test takes as long as it takes, about two minutes")
    if aa:
        raise typer.Exit(proving.tell_apart(runs, budget or "10m", as_json=as_json, command=sys.argv[1:]))
    raise typer.Exit(proving.selftest(runs, as_json=as_json, command=sys.argv[1:]))


@app.command(epilog="Example: python -m orchestrator show latest 001-torch-script")
def show(
    run: Annotated[str, typer.Argument(help="a run's folder, its name or part of it, or latest")] = "latest",
    job: Annotated[str | None, typer.Argument(help="a job's name or part of it")] = None,
    repeat: Annotated[bool, typer.Option("--repeat", help="run that job again; the run stays as it is")] = False,
    runs: ROOT = RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Show a run's results, or one job's whole story."""
    from orchestrator import commands

    if repeat and job is None:
        raise UsageError("--repeat is for one job; name it after the run")
    raise typer.Exit(commands.show(runs, run, job, repeat=repeat, as_json=as_json))


@app.command(
    epilog="Exit code: 0, or 3 if a --fail-on is exceeded for certain. Example: compare base head --fail-on slower=3%"
)
def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="a run; RUN@ENVIRONMENT for one of a run's environments")],
    other: Annotated[str, typer.Argument(metavar="B", help="the run that is held against it")],
    fail_on: Annotated[list[str] | None, typer.Option(help="such as slower=3% or memory=5%; may be repeated")] = None,
    unchanged: Annotated[str | None, typer.Option(help="what cannot have changed, such as numpy,jax:jit,mlp")] = None,
    at_face_value: Annotated[bool, typer.Option("--at-face-value", help="allow nothing for day and machine")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="as a comment for a pull request")] = False,
    runs: ROOT = RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Say what is faster, slower or as fast in run B as in run A, and how sure that is."""
    from orchestrator import handing_on

    if markdown and as_json:
        raise UsageError("--markdown and --json exclude each other")
    raise typer.Exit(
        handing_on.compare(
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
    form: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}; docs/how-to/exports.md")] = "csv",
    per: Annotated[Literal["cell", "job", "sample"] | None, typer.Option(help="what a row is for (cell)")] = None,
    output: Annotated[Path | None, typer.Option(help="a file, written whole or not at all")] = None,
    runs: ROOT = RUNS,
) -> None:
    """Write a run in the format of another program."""
    from orchestrator import handing_on

    handing_on.export(runs, run, form, per, output)


@app.command(epilog="Example: python -m orchestrator schema sweep > sweep.schema.json")
def schema(kind: Annotated[str, typer.Argument(help="sweep, job, event, record or manifest")] = "sweep") -> None:
    """Print the JSON Schema of a sweep file, or of what a run and its workers write."""
    from orchestrator import handing_on

    handing_on.schema(kind)


@app.command(epilog="Example: python -m orchestrator report latest --output report.html")
def report(
    run: Annotated[str, typer.Argument(help="a run's folder, its name or part of it, or latest")] = "latest",
    output: Annotated[Path | None, typer.Option(help="the file to write; otherwise report.html in the run")] = None,
    runs: ROOT = RUNS,
    as_json: AS_JSON = False,
) -> None:
    """Write a run as one HTML file that opens anywhere: the answer, pictures, tables."""
    from orchestrator import commands

    commands.report(runs, run, output, as_json=as_json)


def main() -> None:
    """Run a command. The only place that prints a usage error and exits."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of another encoding shows what it can
    try:
        app()
    except UsageError as error:
        fail(str(error))
    except OSError as error:  # a full or vanished disk, or a closed terminal: what was written before is whole
        fail(f"{error.filename or 'output'}: {error.strerror}; put that right and run again")
    except Exception as error:  # a mistake in this program: no record is lost by it, and a traceback helps nobody here
        fail(described(error), Exit.OWN_FAULT)


def fail(sentence: str, code: Exit = Exit.USAGE) -> None:
    """Say what is wrong, if there is still anybody to say it to, and exit."""
    from orchestrator.report.units import printable

    with contextlib.suppress(OSError):
        print(f"error: {printable(sentence)}", file=sys.stderr)
    sys.exit(code)
