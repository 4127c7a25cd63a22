"""The results of a mode in float64, where those in the cell's dtype prove too little.

Where last bits move a result of a model by a few per cent, no comparison in the cell's dtype tells a mistake from
rounding. And of a user's workload, a mean over many numbers hides half precision inside. In float64 the same mode is
held to a narrow tolerance. This comes after everything that is timed.
"""

from collections.abc import Mapping

from schemas.job import JobSpec
from schemas.judging import IN_FLOAT64
from workers import frameworks
from workers.errors import Unsupported, summarise_error
from workers.measurement.generation import repeat_calls
from workers.measurement.phases import Ledger
from workers.precision import accept_any_precision
from workers.problem.problem import Problem
from workers.results import ResultsWriter
from workers.session import build_model, run_phases

# The results prove nothing if rounding moves one further than this even in float64.
MAX_MOVED = 1e-4

# The mode is not prepared again if that would take a larger share of the job's time.
MAX_SHARE = 0.25


def is_due(spec: JobSpec, problem: Problem) -> bool:
    """Return whether the results of a mode are due in float64 as well: in one block, where they prove more."""
    # A mode in 8 bits cannot run in float64; the model that it was made of is verified instead.
    return spec.block == 1 and not spec.cell.is_quantised and bool(problem.ill_conditioned or problem.is_rechecked)


def save_in_float64(spec: JobSpec, package: str, problem: Problem, results: ResultsWriter, ledger: Ledger) -> str:
    """Save the results of the mode in float64 where it can run in it; return what readers must know, if anything."""
    try:
        compute_in_float64(spec, package, problem, results, ledger)
    except Exception as error:
        # A mode that fails in float64 alone is right in its own dtype, as far as can be told there.
        said = str(error) if isinstance(error, Unsupported) else summarise_error(error)
        return describe_obstacle(problem, said)
    return describe_conditioning(problem.ill_conditioned) if problem.ill_conditioned else ""


def compute_in_float64(spec: JobSpec, package: str, problem: Problem, results: ResultsWriter, ledger: Ledger) -> None:
    """Run the mode in float64, and save its results; raise `Unsupported` where nothing would be proven by that.

    As in the reference process, the track is `defaults`: what it sets for equal times can be set only once.
    """
    if reason := find_obstacle(spec, problem, ledger):
        raise Unsupported(reason)
    due = problem.make_recheck()
    framework = frameworks.import_framework(due.cell.framework, spec.module)(due.cell)
    framework.apply_settings()
    with accept_any_precision():  # a step that returns less is held to the same
        model = build_model(spec.model_copy(update={"cell": due.cell}), package, framework, due)
        example = framework.arrays(due.input_sets[0])
        prepared = run_phases(framework.step(model, example, due.infer_axes()), None)
        step = repeat_calls(framework, prepared, spec.loop)
        for case, sets in due.list_cases().items():
            try:
                computed = due.compute_results(framework, step, *sets)
            except Exception:
                # Code may refuse inputs that its workload does not draw.
                if not due.is_derived(case):
                    raise
            else:
                results.add_results(case, IN_FLOAT64, computed, is_recheck=True)


def find_obstacle(spec: JobSpec, problem: Problem, ledger: Ledger) -> str:
    """Return why the mode cannot run in float64; empty if it may."""
    if spec.cell.dtype == "float64":
        return "the cell computes in float64 already"
    if problem.agreement:
        return "the model has no results in float64"
    if problem.moved_in_float64 > MAX_MOVED:
        return "rounding moves it far in float64 too"
    if spec.artefact is not None or (spec.model is not None and spec.model.kind):
        return f"its file computes in {spec.cell.dtype}"
    if spec.limits.memory is not None:
        return "its memory is limited, and in float64 it may need twice as much"
    prepared_ns = sum(cost.wall_ns for cost in ledger.costs if cost.name in ("trace", "compile"))
    if prepared_ns > MAX_SHARE * spec.deadline_s * 1e9:
        return f"preparing it again would take {prepared_ns / 1e9:.0f} s"
    return ""


def describe_obstacle(problem: Problem, obstacle: str) -> str:
    """Describe how far results were verified if not in float64."""
    if problem.ill_conditioned:
        return describe_conditioning(problem.ill_conditioned, obstacle)
    return f"it was not verified in float64 ({obstacle}), so a mean may hide a lower precision inside"


def describe_conditioning(moved: Mapping[str, float], obstacle: str = "") -> str:
    """Describe which tensor last bits move most, and how far results were verified."""
    tensor = max(moved, key=lambda name: moved[name])
    others = f" and {len(moved) - 1} more tensors by less" if len(moved) > 1 else ""
    checked = f"only agreement that wide is checked ({obstacle})" if obstacle else "it is verified in float64 as well"
    return f"ill-conditioned: last-bit changes move {tensor} by {format_percent(moved[tensor])}{others}; {checked}"


def format_percent(share: float) -> str:
    """Format a share in per cent."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"
