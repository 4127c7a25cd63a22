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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.event import Ceiling, Energy, Memory, NewShape, Noise, Overhead, Report, Setting, Verification
from schemas.job import Device, JobSpec
from workers import artefacts, frameworks, memory, workloads
from workers.home import check, package_of
from workers.ledger import Ledger
from workers.stopwatch import Lap, Stopwatch, Timed

if TYPE_CHECKING:
    from workers.frameworks import Framework, Shape, Step
    from workers.noise import Observer
    from workers.problem import Problem

REPORTED = (
    "torch",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "jax",
    "jaxlib",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "openvino",
    "numpy",
    "pydantic",
)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a job has built, before its first call."""

    framework: "Framework"
    problem: "Problem"
    model: Any
    input_sets: list[tuple[Any, ...]]
    on: Device


def run(spec: JobSpec, ledger: Ledger) -> Timed[Report]:
    """Do the job, asking for each timed region.

    Raises:
        Unsupported: the cell cannot be run.
        Wrong: it cannot be timed, since it is not right on all shapes that come.
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
        begin = restore if restored(spec) else prepare
        step = begin(framework, bench.model, input_sets[0], problem.axes(), ledger)
        if problem.trains:
            frameworks.trainer_of(framework)
        settings += getattr(framework, "read_back", tuple)()
        watch = Stopwatch(step, input_sets, framework.synchronise, uneven=problem.uneven)
        first, before = yield from first_calls(bench, watch, step, ledger)
        seen_first: tuple[NewShape, ...] = ()
        if problem.streams:
            seen_first, streamed = new_shapes(bench, step, ledger)
            first, before = (*first, *laps_of(seen_first)), (*before, *streamed)
            if reason := joined(*before).reason:
                raise frameworks.Wrong(reason)
    with ledger.phase("warm_up"):
        trace, calls, overhead = yield from warmed_up(spec, watch)
    with ledger.phase("steady"):
        observer, done = attended(framework, spec.cell.device)
        samples = yield from watch.samples(calls, spec.timing.samples, observer)
        seen, compiled, used = done(calls * spec.timing.samples)
    with ledger.phase("verify"):
        number, outputs = watch.take_last()
        after = [problem.check(framework.to_numpy(outputs), number, "last timed call"), *on_others(bench, step)]
        del outputs
    with ledger.phase("memory") as marks:
        needed = memory_of(bench, lambda number: watch.call(input_sets[number % len(input_sets)]), marks)
    with ledger.phase("verify"):
        slowdown = yield from on_unseen(bench, watch, min(samples) / calls)
        again = problem.check_training(framework, step, "after all timing")
        ceiling = roofline_of(bench)
    if not problem.streams and problem.new_shapes:
        seen_first, others = new_shapes(bench, step, ledger)
        before = (*before, *others)
    with ledger.phase("report"):
        installed, built_as = versions(getattr(framework, "distributions", ())), framework.build_info()
        check(spec)
    return Report(
        versions=installed,
        build_info=built_as,
        settings=tuple(settings),
        phases=ledger.costs,
        age_ns=memory.age_ns(),
        inputs_sha256=problem.sha256(),
        verification=joined(*before, *after, again, referee=spec.reference),
        warmup=(*first, *trace),
        calls=calls,
        samples_ns=samples,
        noise=seen,
        overhead=overhead,
        work=problem.work(),
        ceiling=ceiling,
        unseen=slowdown,
        memory=needed,
        energy=used,
        compilations=compiled,
        new_shapes=seen_first,
        warnings=tuple(warned),
    )


def built(spec: JobSpec, home: str, ledger: Ledger, settings: list[Setting]) -> Bench:
    """Import and configure the framework, adding to the settings, and build the model and its inputs."""
    if restored(spec):
        workloads.forbid(spec.cell.workload, home)
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
        model = source(spec, home, framework)
        if not restored(spec):
            model = framework.build(model, problem.weights)
        input_sets = [framework.arrays(inputs) for inputs in problem.input_sets]
    return Bench(framework, problem, model, input_sets, spec.cell.device)


def first_calls(
    bench: Bench, watch: Stopwatch, step: "Step", ledger: Ledger
) -> Timed[tuple[tuple[Lap, ...], tuple[Verification, ...]]]:
    """The first two calls: their laps, and whether they were right. On two sets of inputs that are of one shape."""
    convert = bench.framework.to_numpy
    with ledger.phase("first_call"):
        first_ns, outputs = yield partial(watch.call, watch.input_sets[0])
    first = convert(outputs)
    problem = bench.problem
    other = 0 if problem.streams else 1
    with ledger.phase("second_call"):
        second_ns, outputs = yield partial(watch.call, watch.input_sets[other])
    second = convert(outputs)
    with ledger.phase("verify"):
        checked = (
            problem.check(first, 0, "first call"),
            problem.check(second, other, "second call"),
            problem.check_training(bench.framework, step, "before all timing"),
        )
    return ((1, first_ns), (1, second_ns)), checked


def on_others(bench: Bench, step: "Step") -> Iterator[Verification]:
    """Whether the step is right on the sets of inputs that had only timed calls, where they take ways of their own.

    The last timed call is always of the same set there, and in a stream every set has been looked at.
    """
    problem = bench.problem
    if problem.uneven and not (problem.streams or problem.trains):
        for number in range(2, len(bench.input_sets)):
            outputs = bench.framework.to_numpy(step(*bench.input_sets[number]))
            yield problem.check(outputs, number, "after all samples")


def on_unseen(bench: Bench, watch: Stopwatch, call_ns: float) -> Timed[float]:
    """What inputs that no call has had yet make of a call's time."""
    from workers import unseen

    return (yield from unseen.slowdown(bench.framework, bench.problem, watch, call_ns))


def new_shapes(bench: Bench, step: "Step", ledger: Ledger) -> tuple[tuple[NewShape, ...], tuple[Verification, ...]]:
    """What every shape that the step has not seen costs at first, and whether it is right there."""
    from workers import shapes

    with ledger.phase("new_shapes"):
        return shapes.tried(bench.problem, bench.framework, step)


def laps_of(notes: Sequence[NewShape]) -> list[Lap]:
    """The calls at new shapes as laps of a warm-up."""
    return [(1, took) for note in notes for took in (note.first_ns, note.second_ns) if took is not None]


def warmed_up(spec: JobSpec, watch: Stopwatch) -> Timed[tuple[tuple[Lap, ...], int, Overhead]]:
    """The laps of the warm-up, the number of calls in a sample, and what the timing itself costs."""
    from workers import noise

    timing, linearity = spec.timing, None
    trace = yield from watch.warm_up(timing.warmup_min_ns, timing.longest_warm_up_ns)
    calls = watch.whole_turns(timing.calls) if timing.calls else (yield from watch.calibrate(timing.sample_ns))
    if timing.calls is None:
        linearity = yield from watch.linearity(calls, noise.watch(len(spec.cpus) or 1))
    return trace, calls, Overhead(null_ns=watch.overhead_ns(), clock_ns=watch.clock_ns(), linearity=linearity)


def memory_of(bench: Bench, call: Callable[[int], object], marks: memory.Marks) -> Memory | None:
    """The memory pass, on the host and on the device."""
    from workers import device, nvml

    needed = memory.steps(call, marks)
    if needed is None or bench.on == "cpu":
        return needed
    return needed.model_copy(update={"device": device.looked_at(bench.framework, call, nvml.found())})


def roofline_of(bench: Bench) -> Ceiling:
    """The most that this process can do."""
    from workers import roofline

    return roofline.ceiling(getattr(bench.framework, "arithmetic", bench.framework), bench.problem.itemsize)


def attended(
    framework: "Framework", device: Device
) -> tuple["Observer", Callable[[int], tuple[Noise, int | None, Energy | None]]]:
    """Watch over samples from now on. What is returned with the observer is called with the number of calls at the end.

    It says what disturbed them, the compilations that they caused, and the energy that they used. The samples are not
    taken in here: a frame more under each call is a time that TensorFlow's eager mode feels.
    """
    from workers import energy, noise

    before, observer, joules = framework.compilations(), noise.Observer(noise.canary()), energy.meter(device)
    return observer, lambda calls: (observer.noise(), noise.difference(before, framework.compilations()), joules(calls))


def inherited(spec: JobSpec) -> Iterator[Setting]:
    """Take the cores that the spec names, and read back what was set before the worker started."""
    if sys.platform == "linux":
        if spec.cpus:
            os.sched_setaffinity(0, spec.cpus)
        asked = ",".join(map(str, sorted(spec.cpus))) or None
        yield Setting(name="cores", asked=asked, got=",".join(map(str, sorted(os.sched_getaffinity(0)))))
    for name, value in spec.variables.items():
        yield Setting(name=name, asked=value, got=os.environ.get(name, ""))


def restored(spec: JobSpec) -> bool:
    """Whether the step comes whole from a file that its own mode has saved."""
    return spec.cell.origin == "file" and spec.artefact is not None


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
    return through(framework.step(model, example, shapes), ledger)  # type: ignore[no-any-return]


def restore(framework: Any, path: Path, example: tuple[Any, ...], shapes: Sequence["Shape"], ledger: Ledger) -> "Step":
    """Load the step that its mode has saved in a file."""
    return through(framework.restoring(path, example, shapes), ledger)  # type: ignore[no-any-return]


def through(ready: Any, ledger: Ledger) -> Any:
    """What comes of one phase after another."""
    while isinstance(ready, frameworks.Prepared):
        with ledger.phase(ready.phase) if ready.phase else nullcontext():
            ready = ready.prepare()
    return ready


def joined(*verifications: Verification, referee: str = "") -> Verification:
    """All checks, and the first reason to call the cell wrong; `referee` is the framework that they were held to."""
    reasons = [verification.reason for verification in verifications if verification.reason]
    return Verification(
        checks=tuple(check for verification in verifications for check in verification.checks),
        reason=reasons[0] if reasons else "",
        referee=referee,
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
