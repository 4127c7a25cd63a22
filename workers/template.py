"""A template: an interpreter that imports a framework once and forks a process for each of its jobs in a block.

It computes nothing and starts no thread before it forks, so a job finds the framework as a fresh interpreter has it
after the import. A job is a grandchild that loses its parent at once: the kernel hands it to the orchestrator. If the
import of a framework starts threads, which no child would have, each of its jobs is a parked template: it becomes the
job itself.
"""

import array
import gc
import os
import socket
import sys
import tempfile
from pathlib import Path

from schemas.template import MAX_PACKET_BYTES, Forked, ForkRequest, TemplateReady, TemplateSpec
from workers.process.parent_death import die_with_parent, wait_for_parent
from workers.process.settings import HARMLESS_THREADS


def become_job(descriptor: int) -> None:
    """Serve as a template on the socket with this descriptor; return in each job's process, and only there.

    A job returns, and is not called from here: each further frame under a call would slow TensorFlow's eager mode.
    """
    control = socket.socket(fileno=descriptor)
    die_with_parent(int(os.environ["PLUMBLINE_PARENT"]))
    gc.freeze()  # as a fresh worker does before it imports its framework
    asked = TemplateSpec.model_validate_json(control.recv(MAX_PACKET_BYTES))
    control.send(import_for_jobs(asked).model_dump_json().encode())
    while True:
        packet, ancillary, _, _ = control.recvmsg(MAX_PACKET_BYTES, socket.CMSG_SPACE(3 * array.array("i").itemsize))
        if not packet:
            os._exit(0)
        streams = list(array.array("i", b"".join(data for _, _, data in ancillary)))
        request = ForkRequest.model_validate_json(packet)
        if asked.parked:
            control.close()
            become_worker(streams, request.variables)
            return
        if fork_job(control, streams, request):
            return


def import_for_jobs(asked: TemplateSpec) -> TemplateReady:
    """Import a framework and the modules of a measuring job, on these cores."""
    if sys.platform == "linux" and asked.cpus:
        # As many cores as the jobs will have: some libraries count them when they are imported.
        os.sched_setaffinity(0, asked.cpus)
    try:
        from workers import frameworks

        frameworks.import_framework(asked.framework, asked.module)
        import_own_modules()
    except Exception as error:  # a job that starts fresh fails alike, and has a log
        return TemplateReady(obstacle=f"importing {asked.framework} failed: {type(error).__name__}")
    # Each job collects garbage before its samples, and would look at every object of the import: up to 0.1 s.
    gc.collect()
    gc.freeze()
    obstacle = "" if asked.parked else describe_threads(asked.framework)
    return TemplateReady(obstacle=obstacle, may_park=bool(obstacle))


def import_own_modules() -> None:
    """Import what every measuring job imports later."""
    from workers import results  # noqa: F401
    from workers.measurement import memoization, new_shapes, noise, peak_rates  # noqa: F401
    from workers.problem import given  # noqa: F401
    from workers.tasks import measure  # noqa: F401
    from workers.verification import randomness  # noqa: F401


def describe_threads(framework: str) -> str:
    """Return why this process must not fork: a thread of a library would not exist in the child; "" if it may."""
    names = [task.joinpath("comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    others = len(names) - 1 - sum(name in HARMLESS_THREADS for name in names)
    return f"importing {framework} starts {others} thread{'s' if others > 1 else ''}" if others else ""


def fork_job(control: socket.socket, streams: list[int], asked: ForkRequest) -> bool:
    """Fork the process of a job, with these three descriptors as its standard streams; return whether this is it."""
    reader, writer = os.pipe()
    between = os.fork()
    if between:
        os.close(writer)
        for stream in streams:
            os.close(stream)
        with os.fdopen(reader) as pipe:
            pid = int(pipe.read())
        os.waitpid(between, 0)  # with its end the job has become the orchestrator's
        control.send(Forked(pid=pid).model_dump_json().encode())
        return False
    pid = os.fork()
    if pid:
        os.write(writer, str(pid).encode())
        os._exit(0)
    os.close(reader)
    os.close(writer)
    control.close()
    os.setsid()
    become_worker(streams, asked.variables)
    return True


def become_worker(streams: list[int], variables: dict[str, str]) -> None:
    """Turn this process, which leads its group, into a worker as the orchestrator would have started it."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    del sys.argv[1:]
    os.environ.update(variables)
    tempfile.tempdir = None  # this module keeps the folder that it found first
    wait_for_parent(int(os.environ["PLUMBLINE_PARENT"]))
