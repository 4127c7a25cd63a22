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
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any

from schemas.event import Ceiling, Energy, Noise, Overhead, Report, Setting, Verification
from schemas.job import JobSpec
from workers import artefacts, frameworks, memory, workloads
from workers.home import check, package_of
from workers.ledger import Ledger
from workers.stopwatch import Lap, Stopwatch, Timed

if TYPE_CHECKING:
    from workers.frameworks import Framework, Prepared, Shape, Step
    from workers.noise import Observer
    from workers.problem import Problem

REPORTED = (
    "torch", "tensorflow", "tensorflow-cpu", "keras", "jax", "jaxlib", "onnx", "onnxscript", "onnxruntime", "openvino",
    "numpy", "pydantic",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bench:
    """What a job has built, before its first call."""

    framework: "Framework"
    problem: "Problem"
    model: Any
    input_sets: list[tuple[Any, ...]]


def run(spec: JobSpec, ledger: Ledger) -> Timed[Report]:
    """Do the job, asking for each timed region.

    Raises:
        Unsupported: the cell cannot be run.
        Malformed: the workload is not as it has to be.
        CodeChanged: it is not what the sweep was planned with.
        Exception: whatever the framework or the workload raised.
    """
    settings, warned = list(inherited(spec)), list[str]()
    home = package_of(spec)
    ledger.begin()
    bench = built(spec, home, ledger, settings)
    framework, problem, input_sets = bench.framework, bench.problem, bench.input_sets
    with collected(warned):
        step = prepare(framework, bench.model, input_sets[0], problem.axes(), ledger)
        if problem.trains:
            frameworks.trainer_of(framework)
        settings += getattr(framework, "read_back", tuple)()
        watch = Stopwatch(step, input_sets, framework.synchronise)
        first, before = yield from first_calls(bench, watch, step, ledger)
    with ledger.phase("warm_up"):
        trace, calls, overhead = yield from warmed_up(spec, watch)
    with ledger.phase("steady"):
        observer, done = attended(framework)
        samples = yield from watch.samples(calls, spec.timing.samples, observer)
        seen, compiled, used = done(calls * spec.timing.samples)
    with ledger.phase("verify"):
        number, outputs = watch.take_last()
        after = problem.check(framework.to_numpy(outputs), number, "last timed call")
        del outputs
    with ledger.phase("memory") as marks:
        needed = memory.steps(lambda number: watch.call(number % len(input_sets)), marks)
    with ledger.phase("verify"):
        again = problem.check_training(framework, step, "after all timing")
        others = problem.check_other_shapes(framework, step)
        ceiling = roofline_of(bench)
    with ledger.phase("report"):
        installed, built_as = versions(getattr(framework, "distributions", ())), framework.build_info()
        check(spec)
    return Report(
        versions=installed, build_info=built_as, settings=tuple(settings),
        phases=ledger.costs, age_ns=memory.age_ns(), inputs_sha256=problem.sha256(),
        verification=joined(*before, after, again, others, referee=spec.reference), warmup=(*first, *trace),
        calls=calls, samples_ns=samples, noise=seen, overhead=overhead, work=problem.work(), ceiling=ceiling,
        memory=needed, energy=used,
        compilations=compiled, warnings=tuple(warned),
    )  # fmt: skip


def built(spec: JobSpec, home: str, ledger: Ledger, settings: list[Setting]) -> Bench:
    """Import and configure the framework, adding to the settings, and build the model and its inputs."""
    with ledger.phase("import"):
        framework = frameworks.load(spec.cell.framework, spec.module)(spec.cell)
    with ledger.phase("initialise"):
        settings += framework.configure()
    with ledger.phase("data"):
        # These bring NumPy, and a framework's import must not be timed with a part of it there already.
        from workers import noise, roofline  # noqa: F401 (their import is a part of this phase)
        from workers.problem import problem_of

        problem = problem_of(spec, home)
    with ledger.phase("build"):
        model = framework.build(source(spec, home, framework), problem.weights)
        input_sets = [framework.arrays(inputs) for inputs in problem.input_sets]
    return Bench(framework, problem, model, input_sets)


def first_calls(
    bench: Bench, watch: Stopwatch, step: "Step", ledger: Ledger
) -> Timed[tuple[tuple[Lap, ...], tuple[Verification, ...]]]:
    """The first two calls, on two sets of inputs: their laps, and whether they were right."""
    convert = bench.framework.to_numpy
    with ledger.phase("first_call"):
        first_ns, outputs = yield partial(watch.call, 0)
    first = convert(outputs)
    with ledger.phase("second_call"):
        second_ns, outputs = yield partial(watch.call, 1)
    second = convert(outputs)
    with ledger.phase("verify"):
        problem = bench.problem
        checked = (
            problem.check(first, 0, "first call"), problem.check(second, 1, "second call"),
            problem.check_training(bench.framework, step, "before all timing"),
        )  # fmt: skip
    return ((1, first_ns), (1, second_ns)), checked


def warmed_up(spec: JobSpec, watch: Stopwatch) -> Timed[tuple[tuple[Lap, ...], int, Overhead]]:
    """The laps of the warm-up, the number of calls in a sample, and what the timing itself costs."""
    from workers import noise

    timing, linearity = spec.timing, None
    trace = yield from watch.warm_up(timing.warmup_min_ns, timing.longest_warm_up_ns)
    calls = timing.calls or (yield from watch.calibrate(timing.sample_ns))
    if timing.calls is None:
        linearity = yield from watch.linearity(calls, noise.watch(len(spec.cpus) or 1))
    return trace, calls, Overhead(null_ns=watch.overhead_ns(), clock_ns=watch.clock_ns(), linearity=linearity)


def roofline_of(bench: Bench) -> Ceiling:
    """The most that this process can do."""
    from workers import roofline

    return roofline.ceiling(getattr(bench.framework, "arithmetic", bench.framework), bench.problem.itemsize)


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


def source(spec: JobSpec, home: str, framework: "Framework") -> Any:
    """What the framework builds the model from: the workload's implementation, or the file that was exported."""
    if spec.artefact is not None:
        return artefacts.verified(spec.artefact)
    return workloads.implementation(
        spec.cell.workload,
        getattr(framework, "implementation", spec.cell.framework),
        getattr(framework, "workloads", ""),
        home,
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


def joined(*verifications: Verification, referee: str) -> Verification:
    """All checks, and the first reason to call the cell wrong; `referee` is the framework that they were held to."""
    reasons = [verification.reason for verification in verifications if verification.reason]
    return Verification(
        checks=tuple(check for verification in verifications for check in verification.checks),
        reason=reasons[0] if reasons else "", referee=referee,
    )  # fmt: skip


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
