"""Callables of a user's test, taken from a test that pytest runs again in a real worker."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.event import Exported, Failure, Report
from schemas.job import ComputeReference, JobSpec
from schemas.model_code import hash_model_code
from schemas.models import ModelSource, PytestCase
from workers.errors import Malformed
from workers.models.code import callables
from workers.models.code.callables import RunningTest, take_callable

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work

HEAD = "import numpy as np\nimport os\nimport pytest\nx = np.ones((4, 3), np.float32)\n"

MakeJob = Callable[..., JobSpec]


@pytest.fixture
def make_job(tmp_path: Path, ask: "Ask") -> MakeJob:
    """Make the job of the callable `one` of a test in a file with this text."""

    def of(text: str, node: str = "test_it", framework: str = "numpy", **case: object) -> JobSpec:
        file = tmp_path / "test_mine.py"
        file.write_text(HEAD + text)
        test = PytestCase.model_validate({"node": node, "folder": str(tmp_path), **case})
        source = ModelSource(file=str(file), attribute="one", folder=str(tmp_path), test=test)
        spec = ask(framework, "eager", "mine", code=hash_model_code(source), task="forward")
        return spec.model_copy(update={"model": source, "reference": framework})

    return of


def refer(job: JobSpec, work: "Work", folder: Path) -> Exported | Failure:
    """Run the reference process of a job, and return how it ended."""
    ended = work(job.model_copy(update={"purpose": ComputeReference(path=str(folder / "expected.npz"))}))
    last = ended.events[-1]
    assert isinstance(last, Exported | Failure), ended.log
    return last


COMPARE = "def test_it(plumbline):\n    plumbline.compare(one=lambda: x.sum(0), two=lambda: x.T.sum(1))\n"


@pytest.mark.long
def test_a_callable_is_measured_inside_its_test(make_job: MakeJob, work: "Work", tmp_path: Path) -> None:
    job = make_job(COMPARE)
    made = refer(job, work, tmp_path)
    assert isinstance(made, Exported), made
    ended = work(job.model_copy(update={"expected": made.artefact}))
    report = ended.events[-1]
    assert isinstance(report, Report), ended.log
    assert (report.verification.reason, report.unseen) == ("", None)
    assert "one keeps its data to itself" in report.verification.agreement
    assert report.notes == (callables.CACHED_NOTE,)
    names = [cost.name for cost in report.phases]
    assert names.index("import") < names.index("build") < names.index("first_call")


def test_a_later_callable_is_compared_with_the_first_one(make_job: MakeJob, work: "Work", tmp_path: Path) -> None:
    first = make_job(COMPARE)
    made = refer(first, work, tmp_path)
    assert isinstance(made, Exported), made
    assert first.model is not None
    later = first.model.model_copy(update={"attribute": "two"})
    job = first.model_copy(update={"model": later, "expected": made.artefact})
    job = job.model_copy(update={"cell": job.cell.model_copy(update={"code": hash_model_code(later)})})
    shared = refer(job, work, tmp_path / "..")
    assert isinstance(shared, Exported), shared
    assert shared.artefact.sha256 == made.artefact.sha256


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def test_it(plumbline):\n    assert 1 == 2, 'not here'\n", "AssertionError: not here"),
        ("def test_it(plumbline):\n    pytest.skip('not today')\n", "Skipped: not today"),
        ("def test_it(plumbline):\n    pass\n", "it ended without one"),
        ("def test_it(missing):\n    pass\n", "fixture 'missing' not found"),
        ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
        ("def test_another(plumbline):\n    pass\n", "pytest finds no such test"),
    ],
)
@pytest.mark.long
def test_a_test_that_does_not_come_to_its_comparison_says_why(
    make_job: MakeJob, work: "Work", tmp_path: Path, text: str, said: str
) -> None:
    last = refer(make_job(text), work, tmp_path)
    assert isinstance(last, Failure)
    assert last.reason.startswith("test_it did not come to its comparison in another process: "), last.reason
    assert (said in last.reason, "\n" in last.reason) == (True, False), last.reason


@pytest.mark.parametrize(
    ("callable_", "said"),
    [
        ("pytest.skip('inside')", "ended with Skipped: inside"),
        ("1 / 0", "division by zero"),
        ("'text'", "returns a str without arrays"),
        ("np.random.rand()", "they depend on earlier calls or on random numbers"),
    ],
)
@pytest.mark.long
def test_a_callable_that_cannot_be_verified_says_why(
    make_job: MakeJob, work: "Work", tmp_path: Path, callable_: str, said: str
) -> None:
    text = f"def test_it(plumbline):\n    plumbline.compare(one=lambda: {callable_}, two=lambda: x)\n"
    last = refer(make_job(text), work, tmp_path)
    assert isinstance(last, Failure)
    assert (said in last.reason, "\n" in last.reason) == (True, False), last.reason


def test_the_folder_the_options_and_the_path_are_those_of_the_first_process(
    make_job: MakeJob, work: "Work", tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.joinpath("helper_of_a_test.py").write_text("WIDTH = 3\n")
    tmp_path.joinpath("conftest.py").write_text("def pytest_addoption(parser):\n    parser.addoption('--own')\n")
    text = (
        "from helper_of_a_test import WIDTH\n"
        "def test_it(plumbline, request):\n"
        "    assert (request.config.getoption('--own'), os.getcwd()) == ('given', os.path.dirname(__file__))\n"
        "    plumbline.compare(one=lambda: x.sum(0), two=lambda: x.sum(0))\n"
    )
    last = refer(make_job(text, options={"own": "given"}, path=(str(elsewhere),)), work, tmp_path)
    assert isinstance(last, Exported), last


JAX_TEST = """
import jax, jax.numpy as jnp

def test_it(plumbline):
    weight = jax.random.normal(jax.random.key(1), (4, 3))
    fast = jax.jit(lambda x: {"sum": (x @ weight).astype(jnp.bfloat16), "product": x @ weight})
    made = jnp.ones((2, 4))
    plumbline.compare(one=lambda: fast(made), two=lambda: made @ weight)
"""

TENSORFLOW_TEST = """
import tensorflow as tf

def test_it(plumbline):
    table = tf.Variable(tf.random.normal((4, 3)))

    @tf.function
    def fast():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, [0, 2]) ** 2)
        return {"loss": loss, "gradient": tape.gradient(loss, table), "whole": tf.cast(table, tf.float64)}

    plumbline.compare(one=lambda: (fast(), table), two=lambda: table)
"""


@pytest.mark.parametrize(("framework", "text", "outputs"), [("jax", JAX_TEST, 2), ("tensorflow", TENSORFLOW_TEST, 4)])
@pytest.mark.long
def test_what_a_callable_has_compiled_itself_is_measured_as_it_is_with_the_types_of_its_results(
    make_job: MakeJob, work: "Work", tmp_path: Path, framework: str, text: str, outputs: int
) -> None:
    pytest.importorskip(framework)
    job = make_job(text, framework=framework)
    made = refer(job, work, tmp_path)
    assert isinstance(made, Exported), made
    ended = work(job.model_copy(update={"expected": made.artefact}))
    report = ended.events[-1]
    assert isinstance(report, Report), ended.log
    assert report.verification.reason == ""
    assert {check.tensor for check in report.verification.checks} == {f"output {place}" for place in range(outputs)}
    assert report.notes == (callables.CACHED_NOTE,)
    assert report.compilations is None
    assert not {"trace", "compile"} & {cost.name for cost in report.phases}


@pytest.mark.parametrize(("framework", "mode"), [("jax", "jit"), ("tensorflow", "function")])
@pytest.mark.long
def test_no_mode_compiles_a_callable(
    make_job: MakeJob, work: "Work", tmp_path: Path, framework: str, mode: str
) -> None:
    pytest.importorskip(framework)
    job = make_job({"jax": JAX_TEST, "tensorflow": TENSORFLOW_TEST}[framework], framework=framework)
    last = refer(job.model_copy(update={"cell": job.cell.model_copy(update={"mode": mode})}), work, tmp_path)
    assert isinstance(last, Failure)
    assert last.reason == "a callable of a test is measured as it is; compile it in the test, and leave out modes"


@pytest.mark.long
def test_jax_computes_with_the_settings_of_the_test(make_job: MakeJob, work: "Work", tmp_path: Path) -> None:
    pytest.importorskip("jax")
    text = JAX_TEST.replace("    weight =", "    jax.config.update('jax_enable_x64', True)\n    weight =")
    text = text.replace('"product": x @ weight', '"bytes": jnp.uint8((x @ weight).nbytes)')
    made = refer(make_job(text, framework="jax"), work, tmp_path)
    assert isinstance(made, Exported), made
    with np.load(made.artefact.path) as kept:
        assert kept["float64.set 0.0"] == 2 * 3 * 8


def test_callables_of_a_framework_without_an_adapter_are_refused(
    make_job: MakeJob, work: "Work", tmp_path: Path
) -> None:
    last = refer(make_job(COMPARE, framework="synthetic"), work, tmp_path)
    assert isinstance(last, Failure)
    assert last.reason == "callables of synthetic cannot be measured in a test yet"


def test_a_name_that_the_test_does_not_compare_is_refused(monkeypatch: pytest.MonkeyPatch, make_job: MakeJob) -> None:
    source = make_job(COMPARE).model
    assert source is not None
    monkeypatch.setattr(callables, "RUNNING", RunningTest({"other": lambda: None}))
    with pytest.raises(
        Malformed, match=r"one of test_mine\.py::test_it is not compared there in this process, but other"
    ):
        take_callable(source)
