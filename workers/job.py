"""One job, from its spec to its report.

import -> configure and read back -> build -> load, trace or compile -> first call, second call -> verify
-> warm up -> steady samples -> memory pass -> verify again, and on other shapes.

Inputs of other shapes come last: they may make a framework compile anew, and no timed call shall notice.
"""

import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import metadata
from typing import TYPE_CHECKING, Any

from schemas.event import Energy, Noise, Overhead, Report, Setting, Verification
from schemas.job import JobSpec
from workers import artefacts, frameworks, memory, workloads
from workers.ledger import Ledger
from workers.stopwatch import Stopwatch

if TYPE_CHECKING:
    from workers.frameworks import Framework, Prepared, Shape, Step
    from workers.noise import Observer

REPORTED = (
    "torch", "tensorflow", "tensorflow-cpu", "keras", "jax", "jaxlib", "onnx", "onnxscript", "onnxruntime", "openvino",
    "numpy", "pydantic",
)  # fmt: skip


def run(spec: JobSpec, ledger: Ledger) -> Report:
    """Do the job.

    Raises:
        Unsupported: the cell cannot be run.
        Exception: whatever the framework or the workload raised.
    """
    cell, timing, warned = spec.cell, spec.timing, list[str]()
    settings = list(inherited(spec))
    ledger.begin()
    with ledger.phase("import"):
        framework = frameworks.load(cell.framework, spec.module)(cell)
    with ledger.phase("initialise"):
        settings += framework.configure()
    with ledger.phase("data"):
        # These bring NumPy, and a framework's import must not be timed with a part of it there already.
        from workers import noise, roofline
        from workers.problem import Problem

        problem = Problem(cell, spec.seed)
    with ledger.phase("build"):
        implementation = source(spec, framework)
        model = framework.build(implementation, problem.weights)
        input_sets = [framework.arrays(inputs) for inputs in problem.input_sets]
    with collected(warned):
        step = prepare(framework, model, input_sets[0], problem.axes(), ledger)
        settings += getattr(framework, "read_back", tuple)()
        watch = Stopwatch(step, input_sets, framework.synchronise)
        with ledger.phase("first_call"):
            first_ns, outputs = watch.call(0)
        first = framework.to_numpy(outputs)
        with ledger.phase("second_call"):
            second_ns, outputs = watch.call(1)
        second = framework.to_numpy(outputs)
    with ledger.phase("verify"):
        before = (problem.check(first, 0, "first call"), problem.check(second, 1, "second call"))
    del first, second, outputs  # they would count as the mode's own memory
    with ledger.phase("warm_up"):
        trace = watch.warm_up(timing.warmup_min_ns, timing.longest_warm_up_ns)
        calls = timing.calls or watch.calibrate(timing.sample_ns)
        overhead = Overhead(
            null_ns=watch.overhead_ns(), clock_ns=watch.clock_ns(),
            linearity=None if timing.calls else watch.linearity(calls, noise.watch(len(spec.cpus) or 1)),
        )  # fmt: skip
    with ledger.phase("steady"):
        observer, done = attended(framework)
        samples = watch.samples(calls, timing.samples, observer)
        seen, compiled, used = done(calls * timing.samples)
    with ledger.phase("verify"):
        number, outputs = watch.take_last()
        after = problem.check(framework.to_numpy(outputs), number, "last timed call")
        del outputs
    with ledger.phase("memory") as marks:
        needed = memory.steps(lambda number: watch.call(number % len(input_sets)), marks)
    with ledger.phase("verify"):
        others = problem.check_other_shapes(framework, step)
        ceiling = roofline.ceiling(getattr(framework, "arithmetic", framework), problem.itemsize)
    with ledger.phase("report"):
        installed, built = versions(getattr(framework, "distributions", ())), framework.build_info()
    return Report(
        versions=installed, build_info=built, settings=tuple(settings),
        phases=ledger.costs, age_ns=memory.age_ns(), inputs_sha256=problem.sha256(),
        verification=joined(*before, after, others), warmup=((1, first_ns), (1, second_ns), *trace), calls=calls,
        samples_ns=samples, noise=seen, overhead=overhead, work=problem.work(), ceiling=ceiling,
        memory=needed, energy=used,
        compilations=compiled, warnings=tuple(warned),
    )  # fmt: skip


def attended(
    framework: "Framework",
) -> tuple["Observer", Callable[[int], tuple[Noise, int | None, Energy | None]]]:
    """Watch over samples from now on. What is returned with the observer is called with the number of calls at the end.

    It says what disturbed them, the compilations that they caused, and the energy that they used. The samples are not
    taken in here: a frame more under each call is a time that TensorFlow's eager mode feels.
    """
    from workers import energy, noise

    before, observer, joules = framework.compilations(), noise.Observer(noise.canary()), energy.meter()
    return observer, lambda calls: (
        observer.noise(), noise.difference(before, framework.compilations()), joules(calls)
    )  # fmt: skip


def inherited(spec: JobSpec) -> Iterator[Setting]:
    """Take the cores that the spec names, and read back what was set before the worker started."""
    if sys.platform == "linux":
        if spec.cpus:
            os.sched_setaffinity(0, spec.cpus)
        asked = ",".join(map(str, sorted(spec.cpus))) or None
        yield Setting(name="cores", asked=asked, got=",".join(map(str, sorted(os.sched_getaffinity(0)))))
    for name, value in spec.variables.items():
        yield Setting(name=name, asked=value, got=os.environ.get(name, ""))


def source(spec: JobSpec, framework: "Framework") -> Any:
    """What the framework builds the model from: the workload's implementation, or the file that was exported."""
    if spec.artefact is not None:
        return artefacts.verified(spec.artefact)
    return workloads.implementation(
        spec.cell.workload,
        getattr(framework, "implementation", spec.cell.framework),
        getattr(framework, "workloads", ""),
    )


def prepare(
    framework: "Framework", model: Any, example: tuple[Any, ...], shapes: Sequence["Shape"], ledger: Ledger
) -> "Step":
    """Trace or compile the step, or one after the other; a mode that does neither has no such phase."""
    ready: Prepared | Step = framework.step(model, example, shapes)
    while isinstance(ready, frameworks.Prepared):
        with ledger.phase(ready.phase) if ready.phase else nullcontext():
            ready = ready.prepare()
    return ready


def joined(*verifications: Verification) -> Verification:
    """All checks, and the first reason to call the cell wrong."""
    reasons = [verification.reason for verification in verifications if verification.reason]
    return Verification(
        checks=tuple(check for verification in verifications for check in verification.checks),
        reason=reasons[0] if reasons else "",
    )


@contextmanager
def collected(warned: list[str]) -> Iterator[None]:
    """Collect what is warned of inside, each once, deprecations included, and say it in the log."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        try:
            yield
        finally:
            tell(seen, warned)


def tell(seen: Sequence[warnings.WarningMessage], warned: list[str]) -> None:
    """Add each message to the list once, and print it to the log."""
    for warning in seen:
        message = f"{warning.category.__name__}: {warning.message}"[:300]
        if message not in warned:
            warned.append(message)
            print(message, file=sys.stderr)


def versions(more: Sequence[str] = ()) -> dict[str, str]:
    """Versions of Python and of what a time may depend on, as far as it is installed."""
    found = {"python": platform.python_version()}
    for name in (*REPORTED, *more):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
