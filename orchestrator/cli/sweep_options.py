"""The options of `sweep` and `plan`, and how they turn into the data of a sweep file."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.completion import complete_frameworks, complete_suite, complete_workloads
from orchestrator.errors import UsageError, unknown_name_error

FILE = Annotated[Path | None, typer.Argument(help="a sweep file in TOML; options override its settings")]
SUITE = Annotated[
    str | None, typer.Option(help="a predefined set of axes, by name; see `list`", autocompletion=complete_suite)
]
FRAMEWORKS = Annotated[
    str | None,
    typer.Option(help="comma-separated framework[:mode]: torch:eager,tensorflow", autocompletion=complete_frameworks),
]
WORKLOADS = Annotated[
    str | None,
    typer.Option(help="comma-separated, with parameters: rnn_cell,rnn:length=8/32", autocompletion=complete_workloads),
]
WORKLOAD = Annotated[list[str] | None, typer.Option(help="one more, such as a folder of your own; may be repeated")]
MODEL = Annotated[
    list[str] | None,
    typer.Option(help="a model of your own as it is: problem.py, mypkg.nets:build, net.onnx ...; may be repeated"),
]
INPUT = Annotated[
    list[str] | None,
    typer.Option(
        "--input", help="an input of a model without an inputs function: 'float32[batch,3,224,224]'; may be repeated"
    ),
]
DIM = Annotated[list[str] | None, typer.Option("--dim", help="values of a size of a model's inputs: length=64,128")]
DATA = Annotated[Path | None, typer.Option(help="an .npz file with the inputs of a model file, row by row")]
LABELS = Annotated[Path | None, typer.Option(help="an .npy file with the right answer to each row of --data")]
SAME_AS = Annotated[
    str | None,
    typer.Option(
        help="the model file that --model is a quantised or converted form of: both are measured, and compared"
    ),
]
REQUIREMENTS = Annotated[
    Path | None, typer.Option(help="a requirements file: the model's environment is created with these packages")
]
TASKS = Annotated[
    str | None,
    typer.Option(
        help="comma-separated: forward,backward,train, or one training step: train-sgd,train-adam,train-adamw,train-own"
    ),
]
OPTIMIZER = Annotated[
    str | None,
    typer.Option(
        help="the update of --tasks train, comma-separated: sgd,adam,adamw, or own, which is the function optimizer of "
        "the model's file (default: own if there is one, else sgd,adam)"
    ),
]
BATCH = Annotated[str | None, typer.Option(help="comma-separated batch sizes")]
DTYPE = Annotated[str | None, typer.Option(help="comma-separated: float32,float64,bfloat16,float16")]
THREADS = Annotated[str | None, typer.Option(help="comma-separated thread counts")]
DEVICE = Annotated[str | None, typer.Option(help="comma-separated: cpu,cuda")]
TRACK = Annotated[str | None, typer.Option(help="parity (equal settings, read back) or defaults (as shipped)")]
CACHE = Annotated[str | None, typer.Option(help="cold (every process compiles anew) or warm (from filled caches)")]
SHAPES = Annotated[str | None, typer.Option(help="fixed (one shape) or stream (twelve shapes in turn)")]
ORIGIN = Annotated[str | None, typer.Option(help="source (each job builds the model) or file (loads a saved one)")]
TUNING = Annotated[
    str | None, typer.Option(help="none, channels-first, channels-last, huge-pages, jemalloc, no-onednn or tcmalloc")
]
ENV = Annotated[
    str | None, typer.Option("--env", help="default, current, a name, name@version, or the path of an interpreter")
]
BASELINE = Annotated[
    str | None,
    typer.Option(
        help="the framework:mode that ratios refer to (default: the first)", autocompletion=complete_frameworks
    ),
]
MARGIN = Annotated[float | None, typer.Option(help="relative difference too small to matter (default: 0.02)")]
RANK_BY = Annotated[str | None, typer.Option(help="time, step_peak, static, compile_peak, footprint or import")]
PAIRS = Annotated[
    str | None,
    typer.Option(help="asked (each mode with the baseline and the mode it has to beat) or all (default: asked)"),
]
# With `--latency`, single calls in each process: enough for a p99.
LATENCY_CALLS = 1000
LATENCY = Annotated[
    bool | None,
    typer.Option(
        "--latency",
        help="also time single calls, and report p50, p90 and p99 with intervals",
        callback=lambda asked: LATENCY_CALLS if asked else None,
    ),
]
# With `--growth`, calls in each process after all timing: as many as the classic leaks of caches need to show.
GROWTH_CALLS = 10_000
GROWTH = Annotated[
    bool | None,
    typer.Option(
        "--growth",
        help=f"also watch the memory over {GROWTH_CALLS} calls, and report what each call keeps",
        callback=lambda asked: GROWTH_CALLS if asked else None,
    ),
]
CONCURRENCY = Annotated[
    str | None,
    typer.Option(
        help="also answer this many clients at once, by threads and by processes, and report requests a second: 1,2,4"
    ),
]
COMPARE_BY = Annotated[
    str | None,
    typer.Option(help="also compare each mode with itself along an axis: threads, dtype, precision, batch, length"),
]
BUDGET = Annotated[str | None, typer.Option(help="time limit for the sweep, such as 90s, 10m or 1h (default: 5m)")]
PRECISION = Annotated[
    float | None, typer.Option(help="stop once every ratio's interval has at most this half-width (default: 0.02)")
]
BLOCKS = Annotated[int | None, typer.Option(help="maximum number of blocks (default: 32)")]
UNTIL = Annotated[
    str | None, typer.Option(help="precision, or verdict: stop once every pair that was asked for has its verdict")
]
CALLS = Annotated[
    int | None, typer.Option("--calls", min=1, help="also answer which mode is best for this many calls, such as 500")
]
DEADLINE = Annotated[str | None, typer.Option(help="time limit for one job, such as 90s or 5m (default: 2m)")]
MEMORY = Annotated[str | None, typer.Option(help="limit for one job and for each of its processes, such as 4GiB")]
SEED = Annotated[int | None, typer.Option(help="seed of the random order, weights and inputs, to repeat them")]
SANDBOX = Annotated[
    bool | None, typer.Option("--sandbox", help="for code of strangers: no network, and no files but the job's own")
]
START = Annotated[
    str | None,
    typer.Option(help="template (fork jobs from interpreters that have imported) or fresh (default: template)"),
]
PROFILE = Annotated[
    bool | None, typer.Option("--profile", help="at the end, trace each cell and count the operations of a call")
]
ON = Annotated[
    str | None,
    typer.Option("--on", help="run shares of the sweep on other machines: slurm, or a command: 'ssh {node} {command}'"),
]
NODES = Annotated[
    str | None, typer.Option("--nodes", help="for --on: how many nodes at once, or their names, comma-separated")
]
NAME = Annotated[str | None, typer.Option(help="becomes part of the run folder's name")]

# The size of inputs that is an axis of every sweep.
BATCH_SIZE = "batch="

# Options that are not copied as they are.
HANDLED_SEPARATELY = {
    "file",
    "workloads",
    "workload",
    "model",
    "inputs",
    "dim",
    "data",
    "labels",
    "same_as",
    "requirements",
    "optimizer",
}

# The tables of further options.
TABLES = {
    "memory": "limits",
    **dict.fromkeys(("latency_calls", "growth_calls", "concurrency"), "timing"),
    **dict.fromkeys(("on", "nodes"), "cluster"),
}
# The options that list values.
LISTS = {"concurrency"}


def build_request(
    file: FILE = None,
    suite: SUITE = None,
    frameworks: FRAMEWORKS = None,
    workloads: WORKLOADS = None,
    workload: WORKLOAD = None,
    model: MODEL = None,
    inputs: INPUT = None,
    dim: DIM = None,
    data: DATA = None,
    labels: LABELS = None,
    same_as: SAME_AS = None,
    requirements: REQUIREMENTS = None,
    tasks: TASKS = None,
    optimizer: OPTIMIZER = None,
    batch: BATCH = None,
    dtype: DTYPE = None,
    threads: THREADS = None,
    device: DEVICE = None,
    track: TRACK = None,
    cache: CACHE = None,
    shapes: SHAPES = None,
    origin: ORIGIN = None,
    tuning: TUNING = None,
    environment: ENV = None,
    baseline: BASELINE = None,
    margin: MARGIN = None,
    rank_by: RANK_BY = None,
    pairs: PAIRS = None,
    latency_calls: LATENCY = None,
    growth_calls: GROWTH = None,
    concurrency: CONCURRENCY = None,
    compare_by: COMPARE_BY = None,
    budget: BUDGET = None,
    precision: PRECISION = None,
    blocks: BLOCKS = None,
    until: UNTIL = None,
    calls: CALLS = None,
    deadline: DEADLINE = None,
    memory: MEMORY = None,
    seed: SEED = None,
    start: START = None,
    sandbox: SANDBOX = None,
    profile: PROFILE = None,
    on: ON = None,
    nodes: NODES = None,
    name: NAME = None,
) -> dict[str, Any]:
    """Merge a sweep file with the options that override it, into the data of a SweepSpec."""
    # Must stay the first statement: `locals()` holds only the parameters here.
    options = {
        option: value for option, value in locals().items() if option not in HANDLED_SEPARATELY and value is not None
    }
    from orchestrator.planning.sweep_file import load_sweep_file
    from orchestrator.registry.workloads import resolve_workload_paths
    from schemas.sweep import Axes, Stop

    said = resolve_workload_paths(load_sweep_file(file), file.parent) if file is not None else {}
    add_workloads(said, workloads, workload or [])
    own = describe_model(inputs, dim or [], {"data": data, "labels": labels}, requirements)
    add_models(said, list_models(model or [], same_as), dim or [], own)
    # The tables that have an option's setting; any other stands at the top.
    tables = dict.fromkeys(Axes.model_fields, "axes") | dict.fromkeys(Stop.model_fields, "stop") | TABLES
    for option, value in options.items():
        table = said.setdefault(tables[option], {}) if option in tables else said
        table[option] = split_commas(value) if option in {*Axes.model_fields, *LISTS} else value
    add_machines(said, nodes)
    choose_optimizers(said.get("axes", {}), optimizer)
    return said


def choose_optimizers(axes: dict[str, Any], listed: str | None) -> None:
    """Replace the task `train` by a step of each optimiser that is listed, if any is.

    Raises:
        UsageError: an optimiser does not exist, or the task is not there.
    """
    from schemas.job import TRAIN, TRAINING_TASKS

    if listed is None:
        return
    names = split_commas(listed)
    known = {task.removeprefix(f"{TRAIN}-"): task for task in TRAINING_TASKS}
    if unknown := [name for name in names if name not in known]:
        raise unknown_name_error("optimizer", unknown[0], known)
    tasks = axes.get("tasks", ())
    if TRAIN not in tasks:
        raise UsageError(f"--optimizer {listed} is the update of the task train; add --tasks train")
    chosen = [known[name] for name in names]
    axes["tasks"] = [each for task in tasks for each in (chosen if task == TRAIN else (task,))]


def add_machines(said: dict[str, Any], nodes: str | None) -> None:
    """Add the machines to the data of a sweep that runs on several: a number of nodes or their names, and settings."""
    if "cluster" not in said:
        return
    from orchestrator.planning.cluster_file import add_user_cluster, parse_nodes

    if nodes is not None:
        if not said["cluster"].get("on"):
            raise UsageError("--nodes is for --on; add --on slurm, or --on 'ssh {node} {command}'")
        said["cluster"]["nodes"] = parse_nodes(nodes)
    add_user_cluster(said)


def add_workloads(said: dict[str, Any], listed: str | None, further: list[str]) -> None:
    """Add workloads to the data of a sweep, in place of those of its file."""
    from orchestrator.registry.workloads import to_absolute_workload

    if chosen := [*(() if listed is None else split_commas(listed)), *further]:
        said.setdefault("axes", {})["workloads"] = [to_absolute_workload(text, Path.cwd()) for text in chosen]


def list_models(models: list[str], same_as: str | None) -> list[dict[str, Any]]:
    """Return the models that options name; the first one may be what all others are other forms of."""
    if same_as is None:
        return [{"source": each} for each in models]
    if not models:
        raise UsageError(f"--same-as {same_as} names the first of two models; name the other one with --model")
    return [{"source": same_as}, *({"source": each, "is_sibling": True} for each in models)]


def add_models(said: dict[str, Any], models: list[dict[str, Any]], dims: list[str], own: dict[str, Any]) -> None:
    """Add models to the data of a sweep, with the sizes of their inputs and what options say of each."""
    from orchestrator.planning.models import name_sizes, resolve_model_folders

    sizes, batches = split_sizes(dims)
    chosen = models or said.get("models", [])
    if not chosen:
        if own or dims:
            raise UsageError("--input, --dim, --data and --requirements describe a model; name it with --model")
        return
    said["models"] = [{**each, **own} for each in chosen]
    resolve_model_folders(said, Path.cwd())
    if sizes:
        said.setdefault("axes", {})["workloads"] = name_sizes(said["models"], sizes)
    if batches:
        said.setdefault("axes", {})["batch"] = batches


def describe_model(
    inputs: list[str] | None, dims: list[str], arrays: dict[str, Path | None], requirements: Path | None
) -> dict[str, Any]:
    """Return what options say of each model."""
    from orchestrator.planning.models import read_requirements_file

    described = {
        "inputs": inputs,
        "sizes": [text.partition("=")[0] for text in split_sizes(dims)[0]],
        **{name: str(path.absolute()) if path else "" for name, path in arrays.items()},
        "requirements": read_requirements_file(requirements) if requirements else [],
    }
    return {name: value for name, value in described.items() if value}


def split_sizes(dims: list[str]) -> tuple[list[str], list[str]]:
    """Return the values of `--dim` for sizes other than the batch, and the batches among them."""
    sizes = [text for text in dims if not text.startswith(BATCH_SIZE)]
    batches = [text.removeprefix(BATCH_SIZE) for text in dims if text.startswith(BATCH_SIZE)]
    return sizes, split_commas(",".join(batches)) if batches else []


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
