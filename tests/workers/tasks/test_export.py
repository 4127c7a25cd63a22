"""Models that one framework exports and another runs: real exports by PyTorch, and real jobs that load them."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.artefact import Artefact
from schemas.catalog import FRAMEWORKS
from schemas.event import Exported, Failure, Report
from schemas.job import Export as ExportPurpose
from schemas.job import JobSpec
from schemas.judging import AT_ONCE, UNQUANTISED
from tests.selection import mark_long
from workers.verification.quantised import INT8_TOLERANCE

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Work

MODES = {
    "onnxruntime": "session",
    "openvino": "compiled",
    "litert": "interpreter",
    "executorch": "xnnpack",
    "iree": "compiled",
    "tract": "plan",
}
PREPARED_IN = {
    "onnxruntime": ["load"],
    "openvino": ["load", "compile"],
    "litert": ["load"],
    "executorch": ["load"],
    "iree": ["load"],
    "tract": ["load", "compile"],
}
KNOWN = {framework.name: framework for framework in FRAMEWORKS if framework.name in MODES}
FIXED = {"fixed_length": 1}

WITHOUT_ITS_EXPORTER = """
import sys
from pathlib import Path
import numpy
from schemas.job import Cell
from workers.frameworks import import_framework
from workers.session import prepare_step
from workers.measurement.phases import Ledger
name, path = sys.stdin.read().split()
framework = import_framework(name)(Cell(framework=name, mode="", workload="mlp", task="forward"))
framework.apply_settings()
example = framework.arrays([numpy.zeros((3, 32))])
prepare_step(framework, framework.build(Path(path), {}), example, ((3, 32),), Ledger(lambda _: None))
print(sorted({"torch", "onnx", "onnxscript", "tensorflow", "jax"} & set(sys.modules)))
"""

Spec = Callable[..., JobSpec]
Export = Callable[[JobSpec], Artefact]

each_framework = pytest.mark.parametrize("framework", MODES)
each_of_onnx = pytest.mark.parametrize("framework", [name for name in MODES if KNOWN[name].exported_suffix == ".onnx"])
# ExecuTorch's runtime takes PyTorch's tensors, and imports PyTorch.
each_without_its_exporter = pytest.mark.parametrize("framework", [name for name in MODES if name != "executorch"])
each_job = pytest.mark.parametrize(
    ("framework", "workload", "sizes", "dtype"),
    mark_long(
        [
            (framework, workload, sizes, "float32")
            for framework in MODES
            for workload, sizes in (("rnn_cell", {}), ("mlp", {}), ("rnn", FIXED))
        ]
        + [("onnxruntime", "mlp", {}, "float64")],
        quick=[(framework, "mlp", {}, "float32") for framework in MODES],
    ),
)


@pytest.fixture
def spec(ask: "Ask") -> Spec:
    """Return a function that makes a forward job with a batch of three. It skips the test if a package is missing."""

    def of(
        framework: str, workload: str, sizes: dict[str, int] | None = None, dtype: str = "float32", threads: int = 1
    ) -> JobSpec:
        for package in (KNOWN[framework].package, *KNOWN[framework].also_needs):
            if find_spec(package) is None:
                pytest.skip(f"{package} is not installed")
        return ask(framework, MODES[framework], workload, sizes, task="forward", dtype=dtype, batch=3, threads=threads)

    return of


@pytest.fixture(scope="session")
def export(work: "Work", tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Return a function that exports a job's model, once in a session for all jobs that load the same."""
    kept: dict[str, Artefact] = {}
    folder = tmp_path_factory.mktemp("artefacts")

    def of(spec: JobSpec) -> Artefact:
        suffix = KNOWN[spec.cell.framework].exported_suffix
        # How many threads run it makes no difference to a file.
        name = spec.cell.model_copy(update={"framework": "any", "mode": "", "threads": 1}).id + suffix
        if name not in kept:
            ended = work(spec.model_copy(update={"purpose": ExportPurpose(path=str(folder / name))}))
            assert isinstance(ended.events[-1], Exported), ended.log
            kept[name] = ended.events[-1].artefact
        return kept[name]

    return of


@pytest.fixture(scope="session")
def loaded(export: Export, work: "Work") -> Callable[[JobSpec], Report]:
    """Return a function that runs a job on its artefact, once in a session."""
    kept: dict[str, Report] = {}

    def of(spec: JobSpec) -> Report:
        if spec.cell.id not in kept:
            kept[spec.cell.id] = work(spec.model_copy(update={"artefact": export(spec)})).report
        return kept[spec.cell.id]

    return of


@pytest.mark.long
@each_job
def test_what_was_loaded_computes_what_the_reference_computes_on_the_same_data(
    spec: Spec, loaded: Callable[[JobSpec], Report], framework: str, workload: str, sizes: dict[str, int], dtype: str
) -> None:
    found = loaded(spec(framework, workload, sizes, dtype))
    assert found.verification.reason == ""
    assert {check.tensor for check in found.verification.checks} == {"output"}
    assert [setting for setting in found.settings if not setting.honoured] == []
    assert len(found.samples_ns) == 10


@pytest.mark.parametrize("framework", mark_long(MODES, quick=["openvino"]))
def test_clients_at_once_get_what_is_right_by_threads_and_by_processes(
    spec: Spec, export: Export, work: "Work", framework: str
) -> None:
    asked = spec(framework, "mlp")
    timing = asked.timing.model_copy(update={"concurrency": (1, 2)})
    # A runtime that keeps to the core of its start would lose its rows.
    changes = {"artefact": export(asked), "timing": timing, "shared_cpus": tuple(sorted(os.sched_getaffinity(0)))}
    report = work(asked.model_copy(update=changes), fresh=True).report
    assert report.verification.reason == ""
    assert all(each.pss for each in report.throughput)
    assert [(each.clients, each.processes, each.error) for each in report.throughput] == [
        (1, 1, ""),
        (2, 1, ""),
        (2, 2, ""),
    ]
    assert any(AT_ONCE in check.inputs for check in report.verification.checks)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["int8-dynamic", "int8-static"])
def test_onnx_runtime_in_8_bits_is_near_and_its_model_is_right(
    spec: Spec, export: Export, work: "Work", mode: str
) -> None:
    asked = spec("onnxruntime", "mlp")
    quantised = asked.model_copy(
        update={"artefact": export(asked), "cell": asked.cell.model_copy(update={"mode": mode})}
    )
    report = work(quantised).report
    assert report.verification.reason == ""
    errors = {check.inputs.partition(", ")[2]: check.error or 0.0 for check in report.verification.checks}
    assert errors.pop(UNQUANTISED) < 1e-6
    assert min(errors.values()) > 1e-4
    assert max(errors.values()) < INT8_TOLERANCE
    assert {"compile", "load"} <= {cost.name for cost in report.phases}


@pytest.mark.long
def test_a_graph_with_an_operation_that_the_runtime_lacks_in_this_dtype_is_unsupported(
    spec: Spec, export: Export, work: "Work"
) -> None:
    asked = spec("onnxruntime", "cnn", dtype="float64")
    failure = work(asked.model_copy(update={"artefact": export(asked)})).events[-1]
    assert isinstance(failure, Failure)
    assert failure.outcome == "unsupported"
    assert failure.reason.startswith(
        "ONNX Runtime cannot run this graph in float64: Could not find an implementation for Conv"
    )


@pytest.mark.long
@each_framework
def test_loading_and_compiling_are_phases_of_their_own_and_exporting_is_none(
    spec: Spec, loaded: Callable[[JobSpec], Report], framework: str
) -> None:
    named = [cost.name for cost in loaded(spec(framework, "mlp")).phases]
    after_build = named.index("build") + 1
    assert named[after_build : named.index("first_call")] == PREPARED_IN[framework]


def test_the_settings_of_a_session_are_read_back_from_it(spec: Spec, loaded: Callable[[JobSpec], Report]) -> None:
    settings = {setting.name: setting.got for setting in loaded(spec("onnxruntime", "mlp")).settings}
    assert settings["provider"] == "CPUExecutionProvider"
    assert (settings["intra-op threads"], settings["inter-op threads"]) == ("1", "1")
    assert (settings["spinning"], settings["denormals"]) == ("0", "flushed")


def test_the_settings_of_a_compiled_model_are_read_back_from_it(
    spec: Spec, loaded: Callable[[JobSpec], Report]
) -> None:
    settings = {setting.name: setting.got for setting in loaded(spec("openvino", "mlp")).settings}
    assert (settings["INFERENCE_NUM_THREADS"], settings["NUM_STREAMS"]) == ("1", "1")
    assert (settings["INFERENCE_PRECISION_HINT"], settings["PERFORMANCE_HINT"]) == ("f32", "LATENCY")
    assert settings["EXECUTION_DEVICES"] == "CPU"


def test_an_interpreters_threads_are_counted_and_its_denormals_kept(spec: Spec, export: Export, work: "Work") -> None:
    job = spec("litert", "mlp", threads=2)
    settings = work(job.model_copy(update={"artefact": export(job)})).report.settings
    assert {setting.name: (setting.asked, setting.got) for setting in settings if setting.name == "threads"} == {
        "threads": ("2", "2")
    }
    assert next(setting.got for setting in settings if setting.name == "denormals") == "kept"


@pytest.mark.long
@pytest.mark.parametrize("workload", ["rnn", "lstm_tagger"])
def test_an_interpreter_runs_a_loop_whose_length_the_inputs_decide(
    spec: Spec, loaded: Callable[[JobSpec], Report], workload: str
) -> None:
    found = loaded(spec("litert", workload)).verification
    assert found.reason == ""
    assert len({check.inputs.partition(", ")[0] for check in found.checks}) > 2


@pytest.mark.long
def test_a_kernel_that_executorch_lacks_is_named_when_the_model_is_exported(
    spec: Spec, work: "Work", tmp_path: Path
) -> None:
    job = spec("executorch", "embedding_bag")
    last = work(job.model_copy(update={"purpose": ExportPurpose(path=str(tmp_path / "model.pte"))})).events[-1]
    assert isinstance(last, Failure)
    assert (last.outcome, last.reason) == (
        "unsupported",
        "ExecuTorch's runtime has no kernel for aten::_embedding_bag.out",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_file_for_litert_holds_no_list_of_tensors_whose_size_is_open(
    spec: Spec, work: "Work", tmp_path: Path
) -> None:
    job = spec("litert", "tree_lstm")
    last = work(job.model_copy(update={"purpose": ExportPurpose(path=str(tmp_path / "model.tflite"))})).events[-1]
    assert isinstance(last, Failure)
    assert last.outcome == "unsupported"
    assert last.reason.startswith("TensorFlow cannot convert it to operations of LiteRT: failed to legalize operation ")
    assert "TensorList" in last.reason
    assert list(tmp_path.iterdir()) == []


def test_xnnpacks_pool_has_the_threads_of_the_cell(spec: Spec, export: Export, work: "Work") -> None:
    job = spec("executorch", "mlp", threads=2)
    found = work(job.model_copy(update={"artefact": export(job)})).report
    pool = next(setting for setting in found.settings if setting.name == "threads of XNNPACK's pool")
    assert (pool.asked, pool.got) == ("2", "2")
    assert [setting for setting in found.settings if not setting.honoured] == []
    assert found.verification.reason == ""


@pytest.mark.parametrize(("threads", "driver", "pool"), [(1, "local-sync", "0"), (2, "local-task", "2")])
def test_irees_driver_has_a_pool_only_for_several_threads(
    spec: Spec, export: Export, work: "Work", threads: int, driver: str, pool: str
) -> None:
    job = spec("iree", "mlp", threads=threads)
    found = work(job.model_copy(update={"artefact": export(job)})).report
    settings = {setting.name: setting.got for setting in found.settings}
    assert (settings["driver"], settings["threads of IREE's pool"]) == (driver, pool)
    assert [setting for setting in found.settings if not setting.honoured] == []
    assert found.verification.reason == ""


def test_tract_says_what_it_cannot_load_by_the_node_and_the_last_cause(
    spec: Spec, export: Export, work: "Work"
) -> None:
    job = spec("tract", "gather_scatter")
    last = work(job.model_copy(update={"artefact": export(job)})).events[-1]
    assert isinstance(last, Failure)
    assert last.outcome == "unsupported"
    assert last.reason.startswith("tract cannot load it: Failed analyse for node #")
    assert last.reason.endswith(": Impossible to unify F32 with F64")


def test_tract_is_unsupported_for_several_threads(spec: Spec, export: Export, work: "Work") -> None:
    artefact = export(spec("tract", "mlp"))
    last = work(spec("tract", "mlp", threads=2).model_copy(update={"artefact": artefact})).events[-1]
    assert isinstance(last, Failure)
    assert (last.outcome, last.reason) == (
        "unsupported",
        "tract runs a model in the calling thread alone; choose --threads 1",
    )


def test_without_equal_settings_a_session_is_as_shipped(spec: Spec, export: Export, work: "Work") -> None:
    job = spec("onnxruntime", "mlp")
    shipped = job.cell.model_copy(update={"track": "defaults"})
    settings = work(job.model_copy(update={"cell": shipped, "artefact": export(job)})).report.settings
    found = {setting.name: setting.got for setting in settings}
    assert (found["intra-op threads"], found["spinning"], found["denormals"]) == ("0", "default", "kept")


def test_a_precision_that_openvino_chooses_as_shipped_is_recorded_and_a_lower_one_is_wrong(
    spec: Spec, export: Export, work: "Work"
) -> None:
    job = spec("openvino", "mlp")
    shipped = job.cell.model_copy(update={"track": "defaults"})
    found = work(job.model_copy(update={"cell": shipped, "artefact": export(job)})).report
    precision = next(each.got for each in found.settings if each.name == "INFERENCE_PRECISION_HINT")
    assert (found.verification.reason == "") == (precision == "f32")


@each_without_its_exporter
def test_what_is_measured_runs_without_what_exported_it(
    spec: Spec, export: Export, python: "Python", framework: str
) -> None:
    message = f"{framework} {export(spec(framework, 'mlp')).path}"
    assert python(WITHOUT_ITS_EXPORTER, message.encode()).output.strip() == b"[]"


@pytest.mark.long
def test_an_export_says_what_it_wrote_and_what_that_cost(spec: Spec, work: "Work", tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    exported = work(spec("onnxruntime", "mlp").model_copy(update={"purpose": ExportPurpose(path=str(path))})).events[-1]
    assert isinstance(exported, Exported)
    assert (exported.artefact.path, exported.artefact.size_bytes) == (str(path), path.stat().st_size)
    assert [cost.name for cost in exported.phases] == ["start", "import", "build", "export", "ledger"]
    assert exported.versions.keys() >= {"torch", "onnx", "onnxscript"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.long
def test_a_loop_over_a_length_that_stays_open_cannot_be_exported(spec: Spec, work: "Work", tmp_path: Path) -> None:
    job = spec("onnxruntime", "rnn").model_copy(update={"purpose": ExportPurpose(path=str(tmp_path / "model.onnx"))})
    last = work(job).events[-1]
    assert isinstance(last, Failure)
    assert last.outcome == "unsupported"
    assert last.reason.startswith("PyTorch cannot export it for inputs of any size: ")
    assert "static shape of 16 for dimension inputs['xs'].shape[0]" in last.reason


@pytest.mark.long
@each_of_onnx
def test_a_loop_that_was_exported_for_one_length_is_wrong_where_there_are_others(
    spec: Spec, export: Export, work: "Work", framework: str
) -> None:
    one_length = export(spec(framework, "rnn", FIXED))
    found = work(spec(framework, "rnn").model_copy(update={"artefact": one_length})).report.verification
    assert found.reason.startswith("on inputs of shape (19, 3, 10) (3, 20) it raised")
    assert all(check.passed for check in found.checks)


def test_a_file_that_is_not_what_was_exported_is_refused(spec: Spec, export: Export, work: "Work") -> None:
    job = spec("onnxruntime", "mlp")
    other = export(job).model_copy(update={"sha256": "0" * 64})
    last = work(job.model_copy(update={"artefact": other})).events[-1]
    assert isinstance(last, Failure)
    assert f"the SHA-256 of {other.path} has changed since it was exported; start a new run" in last.reason


def test_a_file_that_is_gone_is_named(spec: Spec, export: Export, work: "Work", tmp_path: Path) -> None:
    job = spec("onnxruntime", "mlp")
    gone = export(job).model_copy(update={"path": str(tmp_path / "gone.onnx")})
    last = work(job.model_copy(update={"artefact": gone})).events[-1]
    assert isinstance(last, Failure)
    assert f"cannot read {gone.path}: No such file or directory" in last.reason
