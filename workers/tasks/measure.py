"""One job, from its spec to its report.

import -> configure and read back -> build -> load, trace or compile -> first call, second call -> verify
-> warm up -> steady samples -> memory pass -> verify again, and on other shapes.

Inputs of other shapes come last: they may make a framework recompile, and no timed call may notice that.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from schemas.event import Ceiling, Energy, Memory, NewShape, Overhead, Report, Verification
from schemas.job import Device, JobSpec
from workers import errors, frameworks
from workers.interfaces import HasArithmetic, HasDistributions, SupportsReadBack
from workers.measurement import memory, nvml
from workers.measurement.phases import Ledger
from workers.measurement.stopwatch import Lap, Stopwatch, Timed, count_samples
from workers.problem.location import check_code, resolve_package
from workers.session import (
    Session,
    collect_warnings,
    complete_session,
    inherit_settings,
    is_restored,
    prepare_step,
    read_versions,
    restore_step,
    start_framework,
)

if TYPE_CHECKING:
    from workers.interfaces import Framework, Step
    from workers.measurement.noise import Observer

# Time between two readings of the counters. Reading them costs as much as some samples lose to a small disturbance.
BURST_NS = 10_000_000


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
    package = resolve_package(spec)
    ledger.record_start()
    framework = start_framework(spec, package, ledger, settings)
    yield from pause_for_test(spec)
    session = complete_session(spec, package, framework, ledger)
    problem, input_sets = session.problem, session.input_sets
    with collect_warnings(warned):
        begin = restore_step if is_restored(spec) else prepare_step
        step = begin(framework, session.model, input_sets[0], problem.infer_axes(), ledger)
        if problem.is_training:
            frameworks.require_trainer(framework)
        settings += framework.read_back() if isinstance(framework, SupportsReadBack) else ()
        watch = Stopwatch(step, input_sets, framework.synchronise, uneven=problem.is_uneven)
        first, before = yield from time_first_calls(session, watch, step, ledger, sketched=spec.block == 1)
        seen_first: tuple[NewShape, ...] = ()
        if problem.is_streaming:
            seen_first, streamed = measure_new_shapes(session, step, ledger)
            first, before = (*first, *to_laps(seen_first)), (*before, *streamed)
            if reason := join_verifications(*before).reason:
                raise errors.Wrong(reason)
    with ledger.phase("warm_up"):
        trace, calls, count, overhead = yield from warm_up_and_calibrate(spec, watch)
    with ledger.phase("steady"):
        burst = choose_burst(min(took / n for n, took in trace) * calls)
        observer, done = start_observing(framework, spec.cell.device)
        earlier = watch.calls_taken
        samples, cpu_ns = yield from watch.take_samples(calls, count, observer, burst)
        compiled, used = done(watch.calls_taken - earlier)
        seen = observer.collect_noise(cpu_ns, burst)
    latency_ns = yield from measure_latency(spec, watch, ledger)
    with ledger.phase("verify"):
        # Taken out of the stopwatch, which would otherwise keep them alive during the memory pass.
        number, outputs = watch.take_last()
        after = [
            problem.check_outputs(framework.to_numpy(outputs), number, "last timed call"),
            *verify_later_sets(session, step),
        ]
        del outputs  # they would count as memory of the next phase
    with ledger.phase("memory") as marks:
        needed = measure_memory(session, lambda number: watch.time_call(input_sets[number % len(input_sets)]), marks)
    with ledger.phase("verify"):
        slowdown = yield from measure_unseen_inputs(spec, session, watch, min(samples) / calls)
        again = problem.check_training(framework, step, "after all timing")
        ceiling = measure_roofline(session, spec.cell.threads)
    if not problem.is_streaming and problem.new_shapes:
        seen_first, others = measure_new_shapes(session, step, ledger)
        before = (*before, *others)
    with ledger.phase("report"):
        named = framework.distributions if isinstance(framework, HasDistributions) else ()
        installed, built_as = read_versions((*spec.distributions, *named)), framework.build_info()
        warned += nvml.list_notes(spec.cell.device)
        check_code(spec)  # the code may have been edited while it was measured
    return Report(
        versions=installed,
        build_info=built_as,
        settings=tuple(settings),
        phases=ledger.costs,
        age_ns=memory.read_age_ns(),
        inputs_sha256=problem.hash_data(),
        verification=join_verifications(*before, *after, again, referee=spec.reference).model_copy(
            update={"agreement": problem.agreement, "likeness": problem.likeness}
        ),
        warmup=(*first, *trace),
        calls=calls,
        samples_ns=samples,
        noise=seen,
        overhead=overhead,
        work=problem.count_work(),
        ceiling=ceiling,
        latency_ns=latency_ns,
        unseen=slowdown,
        memory=needed,
        energy=used,
        compilations=compiled,
        new_shapes=seen_first,
        warnings=tuple(warned),
        notes=tuple(problem.notes),
    )


def pause_for_test(spec: JobSpec) -> Timed[None]:
    """Let a job that measures callables of a user's test go on inside the test."""
    if spec.model is not None and spec.model.test is not None:
        yield lambda: None


def time_first_calls(
    session: Session, watch: Stopwatch, step: "Step", ledger: Ledger, *, sketched: bool
) -> Timed[tuple[tuple[Lap, ...], tuple[Verification, ...]]]:
    """Time the first two calls, on inputs of one shape, and verify their outputs and the training.

    If they are sketched, their results can be compared with those of other cells later.
    """
    convert = session.framework.to_numpy
    with ledger.phase("first_call"):
        first_ns, outputs = yield partial(watch.time_call, watch.input_sets[0])
    # Converted before the second call: a mode may return the same memory again, as OpenVINO does.
    first = convert(outputs)
    problem = session.problem
    other = 0 if problem.is_streaming else 1
    with ledger.phase("second_call"):
        second_ns, outputs = yield partial(watch.time_call, watch.input_sets[other])
    second = convert(outputs)
    with ledger.phase("verify"):
        begun, later = (
            problem.check_outputs(first, 0, "first call", sketched=sketched),
            problem.check_outputs(second, other, "second call", sketched=sketched),
        )
        if later.reason and not begun.reason and not problem.is_streaming:
            later = later.model_copy(update={"reason": f"right on the inputs it was prepared with, but {later.reason}"})
        trained = problem.check_training(session.framework, step, "before all timing", sketched=sketched)
        checked = (begun, later, trained)
        explained = explain_randomness(session, step, checked)
    return ((1, first_ns), (1, second_ns)), explained


def explain_randomness(session: Session, step: "Step", checked: tuple[Verification, ...]) -> tuple[Verification, ...]:
    """Return the verifications; if the step draws random numbers, the first wrong one says so."""
    from workers.verification.randomness import find_randomness

    problem, wrong = session.problem, next((place for place, each in enumerate(checked) if each.reason), None)
    if wrong is None:
        return checked
    sets = next(iter(problem.list_cases().values()))
    compute = partial(problem.compute_results, session.framework, step, *sets)
    reason = find_randomness(compute, session.framework, session.model, problem.dtype)
    # A step that computes the same twice is wrong for the reason that was found.
    found = checked[wrong].model_copy(update={"reason": reason}) if reason else checked[wrong]
    return (*checked[:wrong], found, *checked[wrong + 1 :])


def verify_later_sets(session: Session, step: "Step") -> Iterator[Verification]:
    """Verify the step on the sets of inputs that the problem keeps for after all samples."""
    convert, arrays = session.framework.to_numpy, session.framework.arrays
    for number, inputs in session.problem.list_later_sets():
        yield session.problem.check_outputs(convert(step(*arrays(inputs))), number, "after all samples")


def measure_unseen_inputs(spec: JobSpec, session: Session, watch: Stopwatch, call_ns: float) -> Timed[float | None]:
    """Measure the slowdown of a call on inputs that no call has had yet."""
    from workers.measurement import memoization, noise

    alone = noise.make_sample_watch(len(spec.cpus) or 1)
    return (yield from memoization.measure_slowdown(session.framework, session.problem, watch, call_ns, alone))


def measure_new_shapes(
    session: Session, step: "Step", ledger: Ledger
) -> tuple[tuple[NewShape, ...], tuple[Verification, ...]]:
    """Measure the first calls at every shape that is new to the step, and verify their outputs."""
    from workers.measurement import new_shapes

    with ledger.phase("new_shapes"):
        return new_shapes.try_new_shapes(session.problem, session.framework, step)


def to_laps(notes: Sequence[NewShape]) -> list[Lap]:
    """Convert the calls at new shapes to laps of a warm-up."""
    return [(1, took) for note in notes for took in (note.first_ns, note.second_ns) if took is not None]


def warm_up_and_calibrate(spec: JobSpec, watch: Stopwatch) -> Timed[tuple[tuple[Lap, ...], int, int, Overhead]]:
    """Warm up, and return its laps, the calls in a sample, the number of samples, and the overhead of the timing."""
    from workers.measurement import noise

    timing, linearity, count = spec.timing, None, spec.timing.samples
    trace = yield from watch.warm_up(timing.warmup_min_ns, timing.longest_warm_up_ns)
    # The fastest lap of many is undisturbed, so that load does not change the number of calls.
    call_ns = min(took / calls for calls, took in trace)
    if timing.calls:
        calls = watch.round_to_turns(timing.calls)
    else:
        calls = yield from watch.calibrate_calls(timing.sample_ns, call_ns)
        calls, linearity = yield from watch.lengthen_samples(calls, noise.make_sample_watch(len(spec.cpus) or 1))
        count = count_samples(count, timing.sample_ns, calls * call_ns)
    overhead = Overhead(null_ns=watch.measure_overhead_ns(), clock_ns=watch.measure_clock_ns(), linearity=linearity)
    return trace, calls, count, overhead


def measure_latency(spec: JobSpec, watch: Stopwatch, ledger: Ledger) -> Timed[tuple[int, ...]]:
    """Time single calls, if the sweep asks for them."""
    if not spec.timing.latency_calls:
        return ()
    with ledger.phase("latency"):
        return (yield from watch.take_calls(spec.timing.latency_calls))


def choose_burst(sample_ns: float) -> int:
    """Return the number of samples between two readings of the counters: about ten milliseconds of them."""
    return max(1, int(BURST_NS / sample_ns))


def measure_memory(session: Session, call: Callable[[int], object], marks: memory.HighWaterMarks) -> Memory | None:
    """Run the memory pass on the host and on the device."""
    from workers.measurement import gpu_memory

    needed = memory.measure_steps(call, marks)
    if needed is None or session.on == "cpu":
        return needed
    return needed.model_copy(
        update={"device": gpu_memory.measure_device_memory(session.framework, call, nvml.open_gpu())}
    )


def measure_roofline(session: Session, threads: int) -> Ceiling:
    """Measure the peak rates of this process with its threads."""
    from workers.measurement import peak_rates

    framework = session.framework
    able = framework.arithmetic if isinstance(framework, HasArithmetic) else framework
    return peak_rates.measure_ceiling(able, session.problem.itemsize, threads)


def start_observing(
    framework: "Framework", device: Device
) -> tuple["Observer", Callable[[int], tuple[int | None, Energy | None]]]:
    """Observe samples from now on; the returned function ends this, given the number of calls.

    It returns the compilations and the energy of the samples. The samples are not taken in here: another frame under
    each call would slow TensorFlow's eager mode measurably.
    """
    from workers.measurement import energy, noise

    before, observer, joules = framework.compilations(), noise.Observer(noise.make_canary()), energy.start_meter(device)
    return observer, lambda calls: (noise.subtract_counts(before, framework.compilations()), joules(calls))


def join_verifications(*verifications: Verification, referee: str = "") -> Verification:
    """Combine all checks with the first reason why the cell is wrong; `referee` is the reference's framework."""
    reasons = [verification.reason for verification in verifications if verification.reason]
    return Verification(
        checks=tuple(check for verification in verifications for check in verification.checks),
        reason=reasons[0] if reasons else "",
        referee=referee,
    )
