"""The command line: arguments in, exit codes out."""

import contextlib
import functools
import inspect
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.errors import UsageError
from orchestrator.exits import Exit

RUNS = Path("runs")


app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure one computation in several deep-learning frameworks, and say honestly which is faster.",
)  # fmt: skip

FILE = Annotated[Path | None, typer.Argument(help="a sweep file in TOML; options override what it says")]
FRAMEWORKS = Annotated[str | None, typer.Option(help="comma-separated framework:mode, such as torch:eager,tensorflow")]
WORKLOADS = Annotated[str | None, typer.Option(help="comma-separated, with parameters: rnn_cell,rnn:length=32")]
TASKS = Annotated[str | None, typer.Option(help="comma-separated: forward,backward")]
BATCH = Annotated[str | None, typer.Option(help="comma-separated batch sizes")]
DTYPE = Annotated[str | None, typer.Option(help="comma-separated: float32,float64,bfloat16")]
THREADS = Annotated[str | None, typer.Option(help="comma-separated numbers of threads")]
TRACK = Annotated[str | None, typer.Option(help="parity (equal settings, read back) or defaults (as shipped)")]
CACHE = Annotated[str | None, typer.Option(help="cold (every process compiles anew) or warm (it finds that done)")]
BASELINE = Annotated[str | None, typer.Option(help="the framework:mode that ratios are to; otherwise the first")]
MARGIN = Annotated[float | None, typer.Option(help="differences below this share do not matter (0.02)")]
RANK_BY = Annotated[str | None, typer.Option(help="time, step_peak, static, compile_peak, footprint or import")]
BUDGET = Annotated[str | None, typer.Option(help="such as 90s, 5m or 1h")]
PRECISION = Annotated[float | None, typer.Option(help="stop at this half-width of every ratio's interval")]
BLOCKS = Annotated[int | None, typer.Option(help="never more blocks than this")]
DEADLINE = Annotated[str | None, typer.Option(help="for one job, such as 90s or 5m")]
MEMORY = Annotated[str | None, typer.Option(help="for each process of a job, such as 4GiB; otherwise no limit")]
SEED = Annotated[int | None, typer.Option(help="of the random order, to repeat it")]
NAME = Annotated[str | None, typer.Option(help="becomes part of the run folder's name")]
ROOT = Annotated[Path, typer.Option("--runs", help="the folder that holds the runs")]
REPORT = Annotated[bool, typer.Option("--report/--no-report", help="write report.html into the run's folder")]
AS_JSON = Annotated[bool, typer.Option("--json", help="one JSON document on standard output, the rest elsewhere")]

AXES = {"frameworks", "workloads", "tasks", "batch", "dtype", "threads", "track", "cache"}
STOP = {"budget", "precision", "blocks"}


def request(
    file: FILE = None, frameworks: FRAMEWORKS = None, workloads: WORKLOADS = None, tasks: TASKS = None,
    batch: BATCH = None, dtype: DTYPE = None, threads: THREADS = None, track: TRACK = None,
    cache: CACHE = None, baseline: BASELINE = None, margin: MARGIN = None, rank_by: RANK_BY = None,
    budget: BUDGET = None, precision: PRECISION = None, blocks: BLOCKS = None, deadline: DEADLINE = None,
    memory: MEMORY = None, seed: SEED = None, name: NAME = None,
) -> dict[str, Any]:  # fmt: skip
    """What a file says, overridden by what the options say, as the data of a SweepSpec."""
    options = {option: value for option, value in locals().items() if option != "file" and value is not None}
    from orchestrator.specfile import load

    said = load(file) if file is not None else {}
    for option, value in options.items():
        if option in AXES:
            said.setdefault("axes", {})[option] = [item.strip() for item in str(value).split(",")]
        elif option == "memory":
            said.setdefault("limits", {})[option] = value
        elif option in STOP:
            said.setdefault("stop", {})[option] = value
        else:
            said[option] = value
    return said


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
    report: REPORT = True, runs: ROOT = RUNS, as_json: AS_JSON = False,
) -> None:  # fmt: skip
    """Go on with a sweep that was interrupted: what is measured is kept, what is missing is run."""
    from orchestrator import commands

    raise typer.Exit(commands.resume(runs, run, force=force, page=report, as_json=as_json))


@app.command(epilog="Example: python -m orchestrator plan --workloads rnn --batch 1,32")
@requesting
def plan(said: dict[str, Any], runs: ROOT = RUNS, as_json: AS_JSON = False) -> None:
    """Say what a sweep would run, and for how long. Starts nothing."""
    from orchestrator import commands

    commands.plan(said, runs, as_json=as_json)


@app.command("list", epilog="Example: python -m orchestrator list")
def list_(as_json: AS_JSON = False) -> None:
    """List frameworks and modes with what is installed, workloads with their parameters, and tasks."""
    from orchestrator import commands

    commands.list_(as_json=as_json)


@app.command(epilog="Exit code: 0 if it is fit, also with reservations; 1 if it is unfit.")
def doctor(runs: ROOT = RUNS, as_json: AS_JSON = False) -> None:
    """Say whether this machine is fit to measure, what disturbs it now, and what to change. Takes two seconds."""
    from orchestrator import commands

    raise typer.Exit(commands.doctor(runs, as_json=as_json))


@app.command(epilog="Exit code: 0 if every promise was kept, 1 if one was broken.")
def selftest(
    aa: Annotated[bool, typer.Option("--aa", help="measure how often clones of one cell are told apart")] = False,
    budget: Annotated[str | None, typer.Option(help="for --aa, such as 90s, 10m or 1h (10m)")] = None,
    runs: ROOT = RUNS, as_json: AS_JSON = False,
) -> None:  # fmt: skip
    """Try this instrument on known truth: times, equals, a disturbance, cheats, crashes. Takes about two minutes."""
    from orchestrator import commands

    if not aa and budget is not None:
        raise UsageError("--budget is for --aa; without it the self-test takes as long as it takes, about two minutes")
    if aa:
        raise typer.Exit(commands.tell_apart(runs, budget or "10m", as_json=as_json, command=sys.argv[1:]))
    raise typer.Exit(commands.selftest(runs, as_json=as_json, command=sys.argv[1:]))


@app.command(epilog="Example: python -m orchestrator show latest 001-torch-script")
def show(
    run: Annotated[str, typer.Argument(help="a run's folder, its name or part of it, or latest")] = "latest",
    job: Annotated[str | None, typer.Argument(help="a job's name or part of it")] = None,
    runs: ROOT = RUNS, as_json: AS_JSON = False,
) -> None:  # fmt: skip
    """Show a run's results, or one job's whole story."""
    from orchestrator import commands

    commands.show(runs, run, job, as_json=as_json)


@app.command(epilog="Example: python -m orchestrator report latest --output report.html")
def report(
    run: Annotated[str, typer.Argument(help="a run's folder, its name or part of it, or latest")] = "latest",
    output: Annotated[Path | None, typer.Option(help="the file to write; otherwise report.html in the run")] = None,
    runs: ROOT = RUNS, as_json: AS_JSON = False,
) -> None:  # fmt: skip
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
        fail(f"{error.filename or 'output'}: {error.strerror}; free it and run again")


def fail(sentence: str) -> None:
    """Say what is wrong, if there is still anybody to say it to, and exit."""
    from orchestrator.report.units import printable

    with contextlib.suppress(OSError):
        print(f"error: {printable(sentence)}", file=sys.stderr)
    sys.exit(Exit.USAGE)
