import io
import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from orchestrator.analysis.verified_modes import VerifiedOutcomes
from orchestrator.planning.plan import Plan
from orchestrator.registry import workload_template
from orchestrator.report import catalogue
from orchestrator.report.plan import build_plan_document, describe_code_origins, show_plan
from schemas.catalog import FRAMEWORKS
from schemas.workloads import WORKLOADS

MakePlan = Callable[..., Plan]


def printed(show: Callable[[Console], None]) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_list_has_every_mode_and_every_parameter() -> None:
    text = printed(catalogue.show_list)
    for framework in FRAMEWORKS:
        for mode in framework.modes:
            assert (
                mode.name if framework.name == catalogue.TEST_FRAMEWORK else f"{framework.name}:{mode.name}"
            ) in text
    for workload in WORKLOADS:
        for parameter in workload.parameters:
            assert f"{parameter.name}={parameter.default}" in text


def test_the_list_says_what_each_mode_was_verified_on() -> None:
    known: VerifiedOutcomes = {
        "torch:trace": {"mlp": {"forward": "measured", "backward": "measured"}, "rnn": {"backward": "wrong"}},
        "numpy:eager": {"rnn_cell": {"backward": "measured"}},
    }
    text = printed(lambda console: catalogue.show_list(console, known))
    assert ["torch:trace", "mlp", "backward", "of", "rnn:", "wrong"] in [line.split() for line in text.splitlines()]
    assert ["numpy:eager", "rnn_cell", "(backward)"] in [line.split() for line in text.splitlines()]
    assert catalogue.build_list_document(known)["verified"] == known


def test_the_list_as_a_document_says_what_is_missing_here() -> None:
    said = json.loads(json.dumps(catalogue.build_list_document(), allow_nan=False))
    missing = {framework["name"]: framework["missing"] for framework in said["frameworks"]}
    assert missing.keys() == {framework.name for framework in FRAMEWORKS}
    assert missing["numpy"] is None


def test_a_plan_as_a_document_adds_up(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", start="fresh", axes={"dtype": ("float32", "bfloat16")}, stop={"budget": 20, "blocks": 32})
    said = json.loads(json.dumps(build_plan_document(plan, {"numpy:eager": 3.0}), allow_nan=False))
    assert [cell["job_s"] for cell in said["cells"]] == [3.0, None, 3.0]
    assert "bfloat16" in said["cells"][1]["unsupported"]
    assert (said["jobs_per_block"], said["block_s"], said["blocks"], said["total_s"]) == (2, 6.0, 3, 18.0)


def test_a_plan_in_words_says_how_many_jobs_and_how_long(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", start="fresh", axes={"threads": (9,)}, stop={"budget": 20, "blocks": 32})
    text = printed(lambda console: show_plan(console, plan, {"numpy:eager": 3.0}))
    words = " ".join(text.split())
    assert "warning: 9 threads on 2 cores" in words
    assert "one job for each of 2 cells, about 6 s" in words
    assert "3 blocks fit the budget: 6 jobs, 0:18 minutes" in words


def test_a_plan_says_whose_code_it_would_run_and_from_where(make_plan: MakePlan, tmp_path: Path) -> None:
    folder = workload_template.write_template("mine", tmp_path).resolve()
    said = folder / "workload.toml"
    said.write_text(said.read_text().replace("# reference", "reference"))
    plan = make_plan("torch:eager", "numpy", axes={"workloads": (str(folder), "mlp")})
    code = plan.workloads["mine"].code
    line = f"workload mine: runs the code in {folder} (hash {code}); its reference is torch in float64"
    assert list(describe_code_origins(plan)) == [line]
    assert line in printed(lambda console: show_plan(console, plan, {}))
    (described,) = build_plan_document(plan, {})["workloads"]
    assert (described["folder"], described["code"], described["reference"]) == (str(folder), code, "torch")
    assert list(describe_code_origins(make_plan("numpy"))) == []


def test_the_list_says_how_to_come_to_a_workload_of_ones_own() -> None:
    assert "`new-workload NAME` creates one" in printed(catalogue.show_list)
