"""The passes of a job after its samples: memory, many calls, clients at once, and what this process can do at most."""

from typing import TYPE_CHECKING

from schemas.event import Ceiling, Generation, Growth, Memory, Throughput
from schemas.job import HALF_DTYPES, Cell, JobSpec
from workers.interfaces import HasArithmetic
from workers.measurement import memory, nvml
from workers.measurement.phases import Ledger
from workers.measurement.stopwatch import Stopwatch
from workers.process.settings import SettingsLog
from workers.session import Session

if TYPE_CHECKING:
    from workers.interfaces import Step

# Calls for the growth of memory end after this time, so that a job of long calls does not miss its deadline.
LONGEST_GROWTH_NS = 30_000_000_000


def measure_memory(spec: JobSpec, session: Session, watch: Stopwatch, ledger: Ledger) -> Memory | None:
    """Run the memory pass on the host and on the device.

    A forked process shares pages with its template, so that its memory would be no user's: there is none.
    """
    from workers.measurement import gpu_memory

    if spec.start == "template":
        return None

    def call_step(number: int) -> object:
        return watch.time_call(session.input_sets[number % len(session.input_sets)])

    with ledger.phase("memory") as marks:
        needed = memory.measure_steps(call_step, marks)
        if needed is None or session.on == "cpu":
            return needed
        device = gpu_memory.measure_device_memory(session.framework, call_step, nvml.open_gpu())
        return needed.model_copy(update={"device": device})


def make_further_calls(
    spec: JobSpec,
    session: Session,
    watch: Stopwatch,
    step: "Step",
    ledger: Ledger,
    settings: SettingsLog,
    call_ns: float,
) -> tuple[Generation | None, Growth | None, tuple[Throughput, ...]]:
    """Make further calls: of a model that generates one by one, and what a sweep may ask for.

    It may ask for many calls, for the growth of memory, and for those of several clients at once.
    """
    return (
        measure_generation(session, step, ledger),
        measure_growth(spec, session, watch, ledger, call_ns),
        measure_throughput(spec, session, watch, step, ledger, settings),
    )


def measure_generation(session: Session, step: "Step", ledger: Ledger) -> Generation | None:
    """Time the calls of a loop one by one, if the step is one."""
    from workers.measurement import generation

    if not isinstance(step, generation.LoopedStep):
        return None
    with ledger.phase("generation"):
        return generation.measure_generation(session.framework, step, session.input_sets)


def measure_growth(spec: JobSpec, session: Session, watch: Stopwatch, ledger: Ledger, call_ns: float) -> Growth | None:
    """Watch the memory over many calls, if the sweep asks for it."""
    from workers.measurement import growth

    if not spec.timing.growth_calls:
        return None

    def call_step(number: int) -> None:
        watch.time_call(session.input_sets[number % len(session.input_sets)])

    with ledger.phase("growth"):
        return growth.measure_growth(call_step, min(spec.timing.growth_calls, int(LONGEST_GROWTH_NS / call_ns)))


def measure_throughput(
    spec: JobSpec, session: Session, watch: Stopwatch, step: "Step", ledger: Ledger, settings: SettingsLog
) -> tuple[Throughput, ...]:
    """Answer the requests of several clients at once, if the sweep asks for it."""
    from workers.tasks import serve

    if not spec.timing.concurrency:
        return ()
    with ledger.phase("throughput"):
        return serve.measure_throughput(spec, session, watch, step, settings)


def measure_roofline(cell: Cell, session: Session) -> Ceiling:
    """Measure the peak rates of this process with its threads.

    A framework may compute layers of half precision in float32, and faster than its product: float32 counts too.
    """
    from workers.frameworks import numpy as host
    from workers.measurement import peak_rates

    if cell.is_quantised:  # its products are of 8-bit integers, whose rate nothing here measures
        return Ceiling(flops_per_s=0, bytes_per_s=0)
    framework, size = session.framework, session.problem.itemsize
    able = framework.arithmetic if isinstance(framework, HasArithmetic) else framework
    found = peak_rates.measure_ceiling(able, size, cell.threads)
    if cell.dtype not in HALF_DTYPES or cell.device != "cpu":
        return found
    return peak_rates.join_ceilings(found, peak_rates.measure_ceiling(host.make_arithmetic(cell), size, cell.threads))
