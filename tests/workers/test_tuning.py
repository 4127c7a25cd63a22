"""Tunings of real processes and models are read back from them, and change no result."""

import ctypes
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from orchestrator.machine.tunings import HUGE_PAGES, explain_missing_tuning
from schemas.event import Failure, Report, Setting
from schemas.job import JobSpec
from schemas.tuning import LIBRARY_VARIABLE, TUNINGS, Tuning
from workers import workloads
from workers.images import arrange_images, arrange_shapes, restore_images
from workers.measurement.memory import trim_heap
from workers.problem.problem import problem_from_spec

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has mapped")

# Holds 64 MiB in small pieces, frees them, and prints how much of the memory the allocator has given back.
HOLD_AND_FREE = """
import ctypes, sys
from workers.measurement.memory import read_resident_bytes, trim_heap
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
before = read_resident_bytes()
held = [c.malloc(4096) for _ in range(16_384)]
for place in held:
    ctypes.memset(place, 1, 4096)
full = read_resident_bytes()
for place in held[:-1]:  # the last one keeps the end of the heap in use
    c.free(place)
assert trim_heap()
print((full - read_resident_bytes()) / (full - before))
"""


def tune(spec: JobSpec, tuning: Tuning, **variables: str) -> JobSpec:
    cell = spec.cell.model_copy(update={"tuning": tuning})
    return spec.model_copy(
        update={"cell": cell, "variables": spec.variables | TUNINGS[tuning].variables | variables, "start": "fresh"}
    )


def read(report: Report, name: str) -> list[Setting]:
    return [setting for setting in report.settings if setting.name == name]


def require(tuning: Tuning) -> None:
    if missing := explain_missing_tuning(tuning):
        pytest.skip(missing)


def test_a_library_that_is_mapped_is_the_allocator(ask: "Ask", work: "Work", tmp_path: Path) -> None:
    stand_in = tmp_path / "libjemalloc.so.2"
    mapped = [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()]
    shutil.copy(next(name for name in mapped if "/libm.so" in name), stand_in)
    asked = tune(ask("numpy", "eager", "mlp"), "jemalloc", **{LIBRARY_VARIABLE: str(stand_in)})
    report = work(asked, fresh=True).report
    assert read(report, "allocator") == [Setting(name="allocator", asked="libjemalloc.so.2", got="libjemalloc.so.2")]


def test_a_library_that_the_loader_has_not_found_is_an_unfair_setting(ask: "Ask", work: "Work") -> None:
    asked = tune(ask("numpy", "eager", "mlp"), "jemalloc", **{LIBRARY_VARIABLE: "libthereisnone.so.2"})
    (setting,) = read(work(asked, fresh=True).report, "allocator")
    assert (setting.got, setting.honoured) == ("of the C library", False)


@pytest.mark.parametrize("tuning", ["jemalloc", "tcmalloc"])
def test_a_real_allocator_changes_no_result_and_gives_back_most_of_what_is_free(
    ask: "Ask", work: "Work", tuning: Tuning
) -> None:
    require(tuning)
    report = work(tune(ask("numpy", "eager", "mlp"), tuning), fresh=True).report
    assert report.verification.reason == ""
    assert [setting for setting in report.settings if not setting.honoured] == []
    assert report.memory is not None
    assert report.memory.trimmed
    assert report.memory.allocator == TUNINGS[tuning].variables
    assert find_share_given_back({**TUNINGS[tuning].variables}) > 0.5


def test_the_c_library_gives_back_most_of_what_is_free() -> None:
    assert find_share_given_back({}) > 0.5


def find_share_given_back(variables: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", HOLD_AND_FREE],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def test_huge_pages_are_allowed_unless_the_process_is_denied_them(ask: "Ask", work: "Work") -> None:
    require("huge-pages")
    report = work(tune(ask("numpy", "eager", "mlp"), "huge-pages"), fresh=True).report
    assert read(report, "huge pages") == [Setting(name="huge pages", asked="allowed", got="allowed")]
    denied = "import ctypes; ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)\n" + (
        "from workers.process.settings import read_tuning; print(*[each.got for each in read_tuning('huge-pages')])"
    )
    said = subprocess.run(
        [sys.executable, "-c", denied],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "disabled\n"


# Takes 64 MiB from the C library, touches them, and prints how much of the process is in huge pages.
TAKE_HUGE = """
import ctypes
from pathlib import Path
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
ctypes.memset(c.malloc(64 << 20), 1, 64 << 20)
lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages")))
"""


def test_the_c_library_asks_for_huge_pages_where_that_is_the_tuning_alone() -> None:
    require("huge-pages")
    if "[madvise]" not in HUGE_PAGES.read_text():
        pytest.skip("the kernel gives huge pages to whoever does not ask, too")
    tuned, plain = (
        int(subprocess.run([sys.executable, "-c", TAKE_HUGE], env=given, capture_output=True, check=True).stdout)
        for given in (TUNINGS["huge-pages"].variables, {})
    )
    assert tuned > 32 << 10
    assert plain == 0


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize(
    ("mode", "task"),
    [
        ("eager", "backward"),
        ("trace", "forward"),
        pytest.param("script", "train-adam", marks=pytest.mark.long),
        pytest.param("compile", "backward", marks=pytest.mark.long),
    ],
)
def test_weights_have_their_channels_last_and_results_are_the_same(
    ask: "Ask", work: "Work", mode: str, task: str
) -> None:
    report = work(tune(ask("torch", mode, "cnn", task=task, batch=3), "channels-last")).report
    assert report.verification.reason == ""
    (setting,) = read(report, "memory format")
    assert (setting.asked, setting.got) == ("channels_last", "channels_last")


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_without_being_asked_weights_lie_as_they_did(ask: "Ask", work: "Work") -> None:
    assert read(work(ask("torch", "eager", "cnn", task="forward", batch=3)).report, "memory format") == []


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_a_model_without_four_dimensions_has_no_channels_that_could_be_last(ask: "Ask", work: "Work") -> None:
    failure = work(tune(ask("torch", "eager", "mlp"), "channels-last")).events[-1]
    assert isinstance(failure, Failure)
    assert failure.outcome == "unsupported"
    assert failure.reason == "it has no weight of four dimensions, whose channels could be last"


@pytest.mark.parametrize(("framework", "mode"), [("torch", "eager"), ("tensorflow", "function")])
def test_onednn_is_off_where_that_was_asked_for_and_on_elsewhere(
    ask: "Ask", work: "Work", framework: str, mode: str
) -> None:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    plain = ask(framework, mode, "cnn", task="forward", batch=3)
    off, on = (read(work(spec, fresh=True).report, "oneDNN") for spec in (tune(plain, "no-onednn"), plain))
    assert off == [Setting(name="oneDNN", asked="off", got="off")]
    assert [(setting.asked, setting.honoured) for setting in on] == [(None, True)]


def test_the_c_library_is_the_one_that_is_asked_to_trim_here() -> None:
    assert hasattr(ctypes.CDLL(None), "malloc_trim") == trim_heap()


IMAGES = ["cnn", "conv2d", "resnet"]
FIRST_MODES = [
    *(("torch", "eager"), ("tensorflow", "function"), ("jax", "jit")),
    *(pytest.param("torch", mode, marks=pytest.mark.long) for mode in ("trace", "script")),
    *(pytest.param("tensorflow", mode, marks=pytest.mark.long) for mode in ("eager", "session", "xla")),
    pytest.param("jax", "eager", marks=pytest.mark.long),
]


def lacks_gradient(mode: str, workload: str) -> bool:
    """Return whether TensorFlow's own kernels for the CPU have no gradient of this in NCHW.

    It lacks those of convolutions with explicit padding, and without a graph that of max pooling.
    """
    return mode in ("eager", "function", "session") and (workload == "resnet" or (mode, workload) == ("eager", "cnn"))


@pytest.mark.parametrize(
    ("workload", "task"),
    [
        ("conv2d", "backward"),
        ("resnet", "forward"),
        *(pytest.param(name, "forward", marks=pytest.mark.long) for name in ("cnn", "conv2d")),
        *(pytest.param(name, "backward", marks=pytest.mark.long) for name in ("cnn", "resnet")),
        *(pytest.param(name, "train-sgd", marks=pytest.mark.long) for name in IMAGES),
    ],
)
@pytest.mark.parametrize(("framework", "mode"), FIRST_MODES)
def test_images_with_their_channels_first_give_the_same_results(
    ask: "Ask", work: "Work", workload: str, framework: str, mode: str, task: str
) -> None:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    ended = work(tune(ask(framework, mode, workload, task=task, batch=3), "channels-first"))
    if framework == "tensorflow" and task != "forward" and lacks_gradient(mode, workload):
        failure = ended.events[-1]
        assert isinstance(failure, Failure)
        assert (failure.outcome, "only supports NHWC" in failure.reason) == ("raised", True)
    else:
        assert ended.report.verification.checks
        assert ended.report.verification.reason == ""


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("workload", IMAGES)
def test_channels_first_are_how_images_and_kernels_lie_in_memory(ask: "Ask", workload: str) -> None:
    import torch

    from workers.frameworks.torch import Framework

    spec = tune(ask("torch", "eager", workload, task="forward", batch=3), "channels-first")
    problem = problem_from_spec(spec, "")
    framework = Framework(spec.cell)
    model = framework.build(workloads.import_implementation(workload, "torch", "", ""), problem.weights)
    images, *_ = framework.arrays(problem.input_sets[0])
    given = problem.input_sets[0][0]
    assert tuple(images.shape) == (given.shape[0], given.shape[3], *given.shape[1:3])
    assert images.is_contiguous()
    kernels = [each if workload != "conv2d" else each.permute(3, 2, 0, 1) for each in model.parameters()]
    four = [each for each in kernels if each.dim() == 4]
    assert four
    assert all(each.is_contiguous(memory_format=torch.contiguous_format) for each in four)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_a_class_without_the_argument_has_one_order_of_axes(ask: "Ask", work: "Work") -> None:
    failure = work(tune(ask("torch", "eager", "mlp"), "channels-first")).events[-1]
    assert isinstance(failure, Failure)
    assert failure.outcome == "unsupported"
    assert failure.reason == "its Model takes no argument channels_first, so its images have one order of axes"


def test_images_and_shapes_are_arranged_and_come_back() -> None:
    images, labels = np.arange(120.0).reshape(2, 3, 4, 5), np.arange(2)
    arranged = arrange_images([images, labels], "channels-first")
    assert [each.shape for each in arranged] == [(2, 5, 3, 4), (2,)]
    assert arranged[0].flags.c_contiguous
    assert arrange_shapes([(None, 3, 4, 5), (None,)], "channels-first") == [(None, 5, 3, 4), (None,)]
    back = restore_images(arranged, "channels-first")
    assert all(np.array_equal(one, other) for one, other in zip(back, [images, labels], strict=True))
    assert [each.shape for each in arrange_images([images], "channels-last")] == [(2, 3, 4, 5)]
