"""One job, from its spec to its report.

import -> configure and read back -> build -> load, trace or compile -> first call, second call -> verify
-> warm up -> steady samples -> memory pass -> verify again, and on other shapes.

Inputs of other shapes come last: they may make a framework recompile, and no timed call may notice that.
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
from workers.home import check_code, resolve_package
from workers.ledger import Ledger
from workers.stopwatch import Lap, Stopwatch, Timed

if TYPE_CHECKING:
    from workers.frameworks import Framework, Shape, Step
    from workers.noise import Observer
    from workers.problem import Problem

# Packages whose version may change a time.
REPORTED_PACKAGES = (
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
class Session:
    """The objects that a job has built before its first call."""

    framework: "Framework"
    problem: "Problem"
    model: Any
    input_sets: list[tuple[Any, ...]]
    on: Device


def run(spec: JobSpec, ledger: Ledger) -> Timed[Report]:
    """Run the job, yielding each timed region.

    Raises:
        Unsupported: the cell cannot be run.
        Wrong: it cannot be timed, because it is wrong on one of its shapes.
        Malformed: the workload breaks the contract.
        CodeChanged: the workload is not what the sweep was planned with.
        Exception: whatever the framework or the workload raised.
    """
    settings, warned = list(inherit_settings(spec)), list[str]()
    home = resolve_package(spec)
    ledger.record_start()
    bench = build_session(spec, home, ledger, settings)
    framework, problem, input_sets = bench.framework, bench.problem, bench.input_sets
    with collect_warnings(warned):
        begin = restore_step if is_restored(spec) else prepare_step
        step = begin(framework, bench.model, input_sets[0], problem.infer_axes(), ledger)
        if problem.is_training:
            frameworks.require_trainer(framework)
        settings += getattr(framework, "read_back", tuple)()
        watch = Stopwatch(step, input_sets, framework.synchronise, uneven=problem.is_uneven)
        first, before = yield from time_first_calls(bench, watch, step, ledger)
        seen_first: tuple[NewShape, ...] = ()
        if problem.is_streaming:
            seen_first, streamed = measure_new_shapes(bench, step, ledger)
            first, before = (*first, *to_laps(seen_first)), (*before, *streamed)
            if reason := join_verifications(*before).reason:
                raise frameworks.Wrong(reason)
    with ledger.phase("warm_up"):
        trace, calls, overhead = yield from warm_up_and_calibrate(spec, watch)
    with ledger.phase("steady"):
        observer, done = start_observing(framework, spec.cell.device)
        samples = yield from watch.take_samples(calls, spec.timing.samples, observer)
        seen, compiled, used = done(calls * spec.timing.samples)
    with ledger.phase("verify"):
        number, outputs = watch.take_last()
        after = [
            problem.check_outputs(framework.to_numpy(outputs), number, "last timed call"),
            *verify_other_sets(bench, step),
        ]
        del outputs  # they would count as memory of the next phase
    with ledger.phase("memory") as marks:
        needed = measure_memory(bench, lambda number: watch.time_call(input_sets[number % len(input_sets)]), marks)
    with ledger.phase("verify"):
        slowdown = yield from measure_unseen_inputs(bench, watch, min(samples) / calls)
        again = problem.check_training(framework, step, "after all timing")
        ceiling = measure_roofline(bench)
    if not problem.is_streaming and problem.new_shapes:
        seen_first, others = measure_new_shapes(bench, step, ledger)
        before = (*before, *others)
    with ledger.phase("report"):
        installed, built_as = read_versions(getattr(framework, "distributions", ())), framework.build_info()
        check_code(spec)  # the code may have been edited while it was measured
    return Report(
        versions=installed,
        build_info=built_as,
        settings=tuple(settings),
        phases=ledger.costs,
        age_ns=memory.read_age_ns(),
        inputs_sha256=problem.hash_data(),
        verification=join_verifications(*before, *after, again, referee=spec.reference),
        warmup=(*first, *trace),
        calls=calls,
        samples_ns=samples,
        noise=seen,
        overhead=overhead,
        work=problem.count_work(),
        ceiling=ceiling,
        unseen=slowdown,
        memory=needed,
        energy=used,
        compilations=compiled,
        new_shapes=seen_first,
        warnings=tuple(warned),
    )


def build_session(spec: JobSpec, home: str, ledger: Ledger, settings: list[Setting]) -> Session:
    """Import and configure the framework, append to the settings, and build the model and its inputs."""
    if is_restored(spec):
        workloads.block_implementations(spec.cell.workload, home)
    with ledger.phase("import"):
        framework = frameworks.import_framework(spec.cell.framework, spec.module)(spec.cell)
    with ledger.phase("initialise"):
        settings += framework.configure()
    with ledger.phase("data"):
        # These import NumPy. Earlier, they would do a part of the framework's import before it is timed.
        from workers import noise, roofline  # noqa: F401 (their import is a part of this phase)
        from workers.problem import problem_from_spec

        problem = problem_from_spec(spec, home)
    with ledger.phase("build"):
        model = find_model_source(spec, home, framework)
        if not is_restored(spec):
            model = framework.build(model, problem.weights)
        input_sets = [framework.arrays(inputs) for inputs in problem.input_sets]
    return Session(framework, problem, model, input_sets, spec.cell.device)


def time_first_calls(
    bench: Session, watch: Stopwatch, step: "Step", ledger: Ledger
) -> Timed[tuple[tuple[Lap, ...], tuple[Verification, ...]]]:
    """Time the first two calls, on inputs of one shape, and verify their outputs and the training."""
    convert = bench.framework.to_numpy
    with ledger.phase("first_call"):
        first_ns, outputs = yield partial(watch.time_call, watch.input_sets[0])
    first = convert(outputs)
    problem = bench.problem
    other = 0 if problem.is_streaming else 1
    with ledger.phase("second_call"):
        second_ns, outputs = yield partial(watch.time_call, watch.input_sets[other])
    second = convert(outputs)
    with ledger.phase("verify"):
        checked = (
            problem.check_outputs(first, 0, "first call"),
            problem.check_outputs(second, other, "second call"),
            problem.check_training(bench.framework, step, "before all timing"),
        )
    return ((1, first_ns), (1, second_ns)), checked


def verify_other_sets(bench: Session, step: "Step") -> Iterator[Verification]:
    """Verify the step on the sets of inputs that had only timed calls, where sets differ in control flow.

    The last timed call always has the same set there, and a stream verifies every set anyway.
    """
    problem = bench.problem
    if problem.is_uneven and not (problem.is_streaming or problem.is_training):
        for number in range(2, len(bench.input_sets)):
            outputs = bench.framework.to_numpy(step(*bench.input_sets[number]))
            yield problem.check_outputs(outputs, number, "after all samples")


def measure_unseen_inputs(bench: Session, watch: Stopwatch, call_ns: float) -> Timed[float]:
    """Measure the slowdown of a call on inputs that no call has had yet."""
    from workers import unseen

    return (yield from unseen.measure_slowdown(bench.framework, bench.problem, watch, call_ns))


def measure_new_shapes(
    bench: Session, step: "Step", ledger: Ledger
) -> tuple[tuple[NewShape, ...], tuple[Verification, ...]]:
    """Measure the first calls at every shape that is new to the step, and verify their outputs."""
    from workers import shapes

    with ledger.phase("new_shapes"):
        return shapes.try_new_shapes(bench.problem, bench.framework, step)


def to_laps(notes: Sequence[NewShape]) -> list[Lap]:
    """Convert the calls at new shapes to laps of a warm-up."""
    return [(1, took) for note in notes for took in (note.first_ns, note.second_ns) if took is not None]


def warm_up_and_calibrate(spec: JobSpec, watch: Stopwatch) -> Timed[tuple[tuple[Lap, ...], int, Overhead]]:
    """Warm up, and return its laps, the number of calls in a sample, and the overhead of the timing."""
    from workers import noise

    timing, linearity = spec.timing, None
    trace = yield from watch.warm_up(timing.warmup_min_ns, timing.longest_warm_up_ns)
    calls = watch.round_to_turns(timing.calls) if timing.calls else (yield from watch.calibrate_calls(timing.sample_ns))
    if timing.calls is None:
        linearity = yield from watch.measure_linearity(calls, noise.make_sample_watch(len(spec.cpus) or 1))
    return (
        trace,
        calls,
        Overhead(null_ns=watch.measure_overhead_ns(), clock_ns=watch.measure_clock_ns(), linearity=linearity),
    )


def measure_memory(bench: Session, call: Callable[[int], object], marks: memory.HighWaterMarks) -> Memory | None:
    """Run the memory pass on the host and on the device."""
    from workers import device, nvml

    needed = memory.measure_steps(call, marks)
    if needed is None or bench.on == "cpu":
        return needed
    return needed.model_copy(update={"device": device.measure_device_memory(bench.framework, call, nvml.open_gpu())})


def measure_roofline(bench: Session) -> Ceiling:
    """Measure the peak rates of this process."""
    from workers import roofline

    return roofline.measure_ceiling(getattr(bench.framework, "arithmetic", bench.framework), bench.problem.itemsize)


def start_observing(
    framework: "Framework", device: Device
) -> tuple["Observer", Callable[[int], tuple[Noise, int | None, Energy | None]]]:
    """Observe samples from now on; the returned function ends this, given the number of calls.

    It returns the noise, the compilations and the energy of the samples. The samples are not taken in here: another
    frame under each call would slow TensorFlow's eager mode measurably.
    """
    from workers import energy, noise

    before, observer, joules = framework.compilations(), noise.Observer(noise.make_canary()), energy.start_meter(device)
    return observer, lambda calls: (
        observer.collect_noise(),
        noise.subtract_counts(before, framework.compilations()),
        joules(calls),
    )


def inherit_settings(spec: JobSpec) -> Iterator[Setting]:
    """Pin the process to the cores in the spec, and read back the settings made before the worker started."""
    if sys.platform == "linux":
        if spec.cpus:
            os.sched_setaffinity(0, spec.cpus)
        asked = ",".join(map(str, sorted(spec.cpus))) or None
        yield Setting(name="cores", asked=asked, got=",".join(map(str, sorted(os.sched_getaffinity(0)))))
    for name, value in spec.variables.items():
        yield Setting(name=name, asked=value, got=os.environ.get(name, ""))


def is_restored(spec: JobSpec) -> bool:
    """Return whether the whole step is loaded from a file that its own mode has saved."""
    return spec.cell.origin == "file" and spec.artefact is not None


def find_model_source(spec: JobSpec, home: str, framework: "Framework") -> Any:
    """Return the source of the model: the workload's implementation, or the exported file."""
    if spec.artefact is not None:
        return artefacts.verify_artefact(spec.artefact)
    return workloads.import_implementation(
        spec.cell.workload,
        getattr(framework, "implementation", spec.cell.framework),
        getattr(framework, "workloads", ""),
        home,
    )


def prepare_step(
    framework: "Framework", model: Any, example: tuple[Any, ...], shapes: Sequence["Shape"], ledger: Ledger
) -> "Step":
    """Trace or compile the step, or both in turn; a mode that does neither has no such phase."""
    return run_phases(framework.step(model, example, shapes), ledger)  # type: ignore[no-any-return]


def restore_step(
    framework: Any, path: Path, example: tuple[Any, ...], shapes: Sequence["Shape"], ledger: Ledger
) -> "Step":
    """Load the step that its mode has saved to a file."""
    return run_phases(framework.restoring(path, example, shapes), ledger)  # type: ignore[no-any-return]


def run_phases(ready: Any, ledger: Ledger) -> Any:
    """Run one phase after another, and return the result of the last."""
    while isinstance(ready, frameworks.Prepared):
        with ledger.phase(ready.phase) if ready.phase else nullcontext():
            ready = ready.prepare()
    return ready


def join_verifications(*verifications: Verification, referee: str = "") -> Verification:
    """Combine all checks with the first reason why the cell is wrong; `referee` is the reference's framework."""
    reasons = [verification.reason for verification in verifications if verification.reason]
    return Verification(
        checks=tuple(check for verification in verifications for check in verification.checks),
        reason=reasons[0] if reasons else "",
        referee=referee,
    )


@contextmanager
def collect_warnings(warned: list[str]) -> Iterator[None]:
    """Collect the warnings raised inside, each once, deprecations included, and print them to the log."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        try:
            yield
        finally:
            record_warnings(seen, warned)


def record_warnings(seen: Sequence[warnings.WarningMessage], warned: list[str]) -> None:
    """Append each new message to the list, and print it to the log."""
    for warning in seen:
        message = f"{warning.category.__name__}: {warning.message}"[:300]
        if message not in warned:
            warned.append(message)
            print(message, file=sys.stderr)


def read_versions(more: Sequence[str] = ()) -> dict[str, str]:
    """Return the versions of Python and of the installed packages that a time may depend on."""
    found = {"python": platform.python_version()}
    for name in (*REPORTED_PACKAGES, *more):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
