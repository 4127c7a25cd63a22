"""One job, from its spec to its report.

import -> apply settings and read them back -> build -> load, trace or compile -> first call, second call -> warm up ->
steady samples -> memory pass -> calls of a loop -> growth of memory -> requests at once -> other shapes.

Results are saved on the way, for the judge: no process that is measured knows what is right.

Inputs of other shapes come last: they may make a framework recompile, and no timed call may notice that.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from schemas.event import REST_NS, Ceiling, Energy, NewShape, Noise, Overhead, Report
from schemas.job import JobSpec
from schemas.judging import (
    AFTER,
    BEFORE,
    BEGINNING,
    CHANGES_INPUTS,
    CONTINUED,
    FIRST,
    LAST,
    LATER,
    SECOND,
    SET,
    UNQUANTISED,
    WITHIN,
)
from workers import errors, frameworks
from workers.interfaces import HasDistributions, Quantises, ReusesOutputs, SeesCompilers
from workers.measurement import memory, nvml
from workers.measurement.generation import repeat_calls
from workers.measurement.input_exchange import InputExchange
from workers.measurement.phases import Ledger
from workers.measurement.stopwatch import Lap, Stopwatch, Timed, choose_probes, count_samples
from workers.problem.location import check_code, resolve_package
from workers.process.settings import AT_THE_END, SettingsLog, pin_process, read_process_settings
from workers.session import Session, begin_step, collect_warnings, complete_session, read_versions, start_framework
from workers.tasks.passes import make_further_calls, measure_memory, measure_roofline

if TYPE_CHECKING:
    from workers.interfaces import Framework, Step
    from workers.measurement.noise import Observer

# Time between two readings of the counters. Reading them costs as much as some samples lose to a small disturbance.
BURST_NS = 10_000_000


def run(spec: JobSpec, ledger: Ledger) -> Timed[Report]:
    """Run the job, yielding each timed region.

    Raises:
        Unsupported: the cell cannot be run.
        Wrong: it cannot be timed, because it raises on one of its shapes.
        Malformed: the workload breaks the contract.
        CodeChanged: the workload is not what the sweep was planned with.
        Exception: whatever the framework or the workload raised.
    """
    pin_process(spec)
    settings, warned = SettingsLog(), list[str]()
    settings.add_readings(read_process_settings(spec))
    package = resolve_package(spec)
    ledger.record_start()
    framework = start_framework(spec, package, ledger, settings)
    yield from pause_for_test(spec)
    session = complete_session(spec, package, framework, ledger)
    problem, input_sets = session.problem, session.input_sets
    with collect_warnings(warned):
        step = begin_step(spec, session, ledger)
        if problem.is_training:
            frameworks.require_trainer(framework)
        settings.add_readings(framework.read_settings(), "when the step was prepared")
        watch = Stopwatch(step, input_sets, framework.synchronise, uneven=problem.is_uneven)
        first, random = yield from time_first_calls(spec, session, watch, step, ledger)
        seen_first: tuple[NewShape, ...] = ()
        if problem.is_streaming:
            seen_first = measure_new_shapes(session, step, ledger)
            first = (*first, *to_laps(seen_first))
            if failed := next((each for each in session.results.saved if each.error), None):
                raise errors.Wrong(problem.explain_error(failed.case, failed.error).reason)
    with ledger.phase("warm_up"):
        trace, calls, count, overhead = yield from warm_up_and_calibrate(spec, watch)
    with ledger.phase("steady"):
        exchange = InputExchange(framework, problem, watch)
        samples, seen, compiled, used = yield from take_steady_samples(
            session, watch, exchange, count, calls, find_fastest_call_ns(trace)
        )
    latency_ns = yield from measure_latency(spec, watch, ledger)
    with ledger.phase("verify"):
        rested_ns = measure_rest(spec)
        settings.add_readings((*read_process_settings(spec), *framework.read_settings()), AT_THE_END)
        changed = exchange.find_changes()
        save_timed_calls(session, watch, step)
        if spec.thorough:
            save_next_step(session, watch, step)
    needed = measure_memory(spec, session, watch, ledger)
    with ledger.phase("verify"):
        save_training(session, step, AFTER)
        slowdown, ceiling = yield from look_thoroughly(spec, session, watch, min(samples) / calls)
    generated, grown, served = make_further_calls(spec, session, watch, step, ledger, settings, min(samples) / calls)
    if not problem.is_streaming and problem.new_shapes:
        seen_first = measure_new_shapes(session, step, ledger)
    conditions = save_other_forms(spec, package, session, ledger)
    with ledger.phase("report"):
        installed = read_versions((*spec.distributions, *list_own_distributions(framework)))
        warned += nvml.list_notes(spec.cell.device)
        check_code(spec)  # the code may have been edited while it was measured
        compilers = describe_compilers(spec, framework, step, input_sets[0])
    return Report(
        versions=installed,
        build_info=framework.build_info(),
        settings=tuple(settings.settings),
        phases=ledger.costs,
        age_ns=memory.read_age_ns(),
        inputs_sha256=problem.hash_data(),
        is_uneven=problem.is_uneven,
        saved=tuple(session.results.saved),
        randomness=random,
        changes_inputs=changed,
        warmup=(*first, *trace),
        calls=calls,
        samples_ns=samples,
        noise=seen,
        overhead=overhead,
        ceiling=ceiling,
        latency_ns=latency_ns,
        rest_cpu_ns=rested_ns,
        unseen=slowdown,
        memory=needed,
        generation=generated,
        growth=grown,
        throughput=served,
        energy=used,
        compilations=compiled,
        new_shapes=seen_first,
        warnings=tuple(warned),
        notes=(*problem.notes, *conditions, *settings.notes, *([CHANGES_INPUTS] if changed else []), *compilers),
    )


def list_own_distributions(framework: "Framework") -> Sequence[str]:
    """Return the distributions that a framework names to report the versions of."""
    return framework.distributions if isinstance(framework, HasDistributions) else ()


def describe_compilers(spec: JobSpec, framework: "Framework", step: "Step", example: tuple[Any, ...]) -> Sequence[str]:
    """Return a sentence about compiled code in a mode that compiles nothing, if there is any.

    What a test compares is what its author has compiled, or has not.
    """
    if spec.model is not None and spec.model.test is not None:
        return []
    found = framework.find_compiled(step, example) if isinstance(framework, SeesCompilers) else ""
    return [f"its code compiles with {found}, although this mode compiles nothing"] if found else []


def pause_for_test(spec: JobSpec) -> Timed[None]:
    """Let a job that measures callables of a user's test go on inside the test."""
    if spec.model is not None and spec.model.test is not None:
        yield lambda: None


def time_first_calls(
    spec: JobSpec, session: Session, watch: Stopwatch, step: "Step", ledger: Ledger
) -> Timed[tuple[tuple[Lap, ...], str]]:
    """Time the first two calls, on inputs of one shape, and save their outputs and those of training.

    The second result describes how two calls on the same inputs differ.
    """
    convert, results = session.framework.to_numpy, session.results
    with ledger.phase("first_call"):
        first_ns, outputs = yield partial(watch.time_call, watch.input_sets[0])
    # Converted before the second call: a mode may return the same memory again, as OpenVINO does.
    first = convert(outputs)
    other = 0 if session.problem.is_streaming else 1
    with ledger.phase("second_call"):
        second_ns, outputs = yield partial(watch.time_call, watch.input_sets[other])
    second = convert(outputs)
    with ledger.phase("verify"):
        results.add_results(f"{SET}0", FIRST, first)
        results.add_results(f"{SET}{other}", SECOND, second)
        save_training(session, step, BEFORE)
        random = describe_randomness(session, step) if spec.thorough else ""
    return ((1, first_ns), (1, second_ns)), random


def save_training(session: Session, step: "Step", when: str) -> None:
    """Train from the beginning for a few steps, and save the losses and the moves of the weights."""
    if session.problem.is_training:
        sets = session.problem.list_cases()[BEGINNING]
        session.results.add_results(BEGINNING, when, session.problem.compute_results(session.framework, step, *sets))


def describe_randomness(session: Session, step: "Step") -> str:
    """Describe how two calls on the same inputs differ; empty if they do not.

    The judge tells it of results that are wrong: a step that computes the same twice is wrong for another reason.
    """
    from workers.verification.randomness import find_randomness

    problem = session.problem
    sets = next(iter(problem.list_cases().values()))
    compute = partial(problem.compute_results, session.framework, step, *sets)
    return find_randomness(compute, session.framework, session.model, problem.dtype)


def measure_rest(spec: JobSpec) -> int | None:
    """Return the CPU time of this process while it rests, in a thorough job; None elsewhere.

    Several threads may look for work for a while after a call, as OpenMP's do. A job that is not pinned to one core may
    have several, those of NumPy's BLAS.
    """
    has_one_thread = spec.cell.threads == len(spec.cpus) == 1 and spec.cell.track == "parity"
    if not (spec.thorough and has_one_thread and spec.cell.device == "cpu"):
        return None
    used_ns = time.process_time_ns()
    time.sleep(REST_NS / 1e9)
    return time.process_time_ns() - used_ns


def choose_probed_calls(session: Session, count: int, calls: int) -> Mapping[int, int]:
    """Choose the calls within samples that are verified.

    None are chosen if a later call overwrites what an earlier one has returned.
    """
    if isinstance(session.framework, ReusesOutputs) and session.framework.reuses_outputs:
        return {}
    return choose_probes(count, calls, len(session.input_sets))


def save_timed_calls(session: Session, watch: Stopwatch, step: "Step") -> None:
    """Save the results of the last timed call and those within samples, and of the inputs kept for after all samples.

    The outputs of timed calls are let go of: they would count as memory of the next phase.
    """
    convert, results = session.framework.to_numpy, session.results
    number, outputs = watch.take_last()
    results.add_results(f"{SET}{number}", LAST, convert(outputs))
    for number, outputs in watch.take_probed():
        results.add_results(f"{SET}{number}", WITHIN, convert(outputs))
    del outputs
    for number, inputs in session.problem.list_later_sets():
        results.add_results(f"{SET}{number}", LATER, convert(step(*session.framework.arrays(inputs))))


def save_next_step(session: Session, watch: Stopwatch, step: "Step") -> None:
    """Save one step of training that goes on from where the timed ones have ended."""
    problem, number = session.problem, watch.numbers[0]
    if problem.is_continued:
        made = problem.continue_training(session.framework, step, problem.read_timed_set(number))
        session.results.add_results(f"{SET}{number}", CONTINUED, made)


def save_other_forms(spec: JobSpec, package: str, session: Session, ledger: Ledger) -> list[str]:
    """Save what other forms of the model compute, where that is due; return what readers must know."""
    save_unquantised(spec, session, ledger)
    return save_in_float64(spec, package, session, ledger)


def save_in_float64(spec: JobSpec, package: str, session: Session, ledger: Ledger) -> list[str]:
    """Save results as computed in float64, where they are due; return what readers must know."""
    from workers.tasks import recheck

    if not recheck.is_due(spec, session.problem):
        return []
    with ledger.phase("verify"):
        said = recheck.save_in_float64(spec, package, session.problem, session.results, ledger)
    return [said] if said else []


def save_unquantised(spec: JobSpec, session: Session, ledger: Ledger) -> None:
    """Save the results of the model that a mode in 8 bits was made of, which are held to the tolerance of its dtype."""
    framework = session.framework
    if spec.thorough and spec.cell.is_quantised and isinstance(framework, Quantises):
        with ledger.phase("verify"):
            # The sets of the session hold other values by now: timed inputs are exchanged.
            inputs = framework.arrays(session.problem.input_sets[0])
            results = framework.to_numpy(repeat_calls(framework, framework.make_unquantised_step(), spec.loop)(*inputs))
            session.results.add_results(f"{SET}0", UNQUANTISED, results)


def look_thoroughly(
    spec: JobSpec, session: Session, watch: Stopwatch, call_ns: float
) -> Timed[tuple[float | None, Ceiling]]:
    """Measure, in a thorough job, the slowdown of a call on inputs that no call has had yet, and the peak rates."""
    from workers.measurement import memoization, noise

    if not spec.thorough:
        return None, Ceiling(flops_per_s=0, bytes_per_s=0)
    alone = noise.make_sample_watch(len(spec.cpus) or 1)
    slowdown = yield from memoization.measure_slowdown(session.framework, session.problem, watch, call_ns, alone)
    return slowdown, measure_roofline(spec.cell, session)


def measure_new_shapes(session: Session, step: "Step", ledger: Ledger) -> tuple[NewShape, ...]:
    """Measure the first calls at every shape that is new to the step, and save their outputs."""
    from workers.measurement import new_shapes

    with ledger.phase("new_shapes"):
        return new_shapes.try_new_shapes(session.problem, session.framework, step, session.results)


def to_laps(notes: Sequence[NewShape]) -> list[Lap]:
    """Convert the calls at new shapes to laps of a warm-up."""
    return [(1, took) for note in notes for took in (note.first_ns, note.second_ns) if took is not None]


def warm_up_and_calibrate(spec: JobSpec, watch: Stopwatch) -> Timed[tuple[tuple[Lap, ...], int, int, Overhead]]:
    """Warm up, and return its laps, the calls in a sample, the number of samples, and the overhead of the timing."""
    from workers.measurement import noise

    timing, linearity, count = spec.timing, None, spec.timing.samples
    trace = yield from watch.warm_up(timing.warmup_min_ns, timing.longest_warm_up_ns)
    call_ns = find_fastest_call_ns(trace)
    if timing.calls:
        calls = watch.round_to_turns(timing.calls)
    else:
        calls = yield from watch.calibrate_calls(timing.sample_ns, call_ns)
        calls, linearity = yield from watch.lengthen_samples(calls, noise.make_sample_watch(len(spec.cpus) or 1))
        count = count_samples(count, timing.sample_ns, calls * call_ns)
    overhead = Overhead(null_ns=watch.measure_overhead_ns(), clock_ns=watch.measure_clock_ns(), linearity=linearity)
    return trace, calls, count, overhead


def find_fastest_call_ns(trace: Sequence[Lap]) -> float:
    """Return the time of a call in the fastest lap of a warm-up, which is undisturbed: load does not change it."""
    return min(took / calls for calls, took in trace)


def measure_latency(spec: JobSpec, watch: Stopwatch, ledger: Ledger) -> Timed[tuple[int, ...]]:
    """Time single calls, if the sweep asks for them."""
    if not spec.timing.latency_calls:
        return ()
    with ledger.phase("latency"):
        return (yield from watch.take_calls(spec.timing.latency_calls))


def take_steady_samples(
    session: Session, watch: Stopwatch, exchange: Callable[[], None], count: int, calls: int, call_ns: float
) -> Timed[tuple[tuple[int, ...], Noise, int | None, Energy | None]]:
    """Take the samples; return them with their disturbances, the compilations, and the energy."""
    burst = choose_burst(call_ns * calls)
    observer, done = start_observing(session, exchange)
    earlier, probes = watch.calls_taken, choose_probed_calls(session, count, calls)
    samples, cpu_ns = yield from watch.take_samples(calls, count, observer, burst, probes)
    compiled, used = done(watch.calls_taken - earlier)
    return samples, observer.collect_noise(cpu_ns, burst), compiled, used


def choose_burst(sample_ns: float) -> int:
    """Return the number of samples between two readings of the counters: about ten milliseconds of them."""
    return max(1, int(BURST_NS / sample_ns))


def start_observing(
    session: Session, exchange: Callable[[], None]
) -> tuple["Observer", Callable[[int], tuple[int | None, Energy | None]]]:
    """Observe samples from now on, and exchange inputs between bursts; the returned function ends this.

    Given the number of calls, it returns the compilations and the energy of the samples. These are not taken in here:
    another frame under each call would slow TensorFlow's eager mode measurably.
    """
    from workers.measurement import energy, noise

    framework = session.framework
    observer = noise.Observer(noise.make_canary(), exchange)
    before, joules = framework.compilations(), energy.start_meter(session.on)
    return observer, lambda calls: (noise.subtract_counts(before, framework.compilations()), joules(calls))
