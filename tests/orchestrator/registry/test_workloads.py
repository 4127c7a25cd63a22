"""Foreign workloads are found by path or distribution, and every mistake in them is named."""

import json
import re
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.environments.environment import Environment
from orchestrator.environments.lookup import Environments
from orchestrator.errors import UsageError
from orchestrator.planning import grid
from orchestrator.planning.plan import Plan
from orchestrator.planning.request import resolve_request
from orchestrator.registry import workload_template, workloads
from schemas.catalog import FRAMEWORKS
from schemas.sweep import SweepSpec
from schemas.workloads import WORKLOADS
from tests.orchestrator.installation import install

MakePlan = Callable[..., Plan]
STRANGER = {
    "nets/__init__.py": """
        from schemas.workloads import Parameter, Workload

        ENTRY = Workload(
            name="gated", summary="a network of somebody else", module="nets.gated",
            parameters=(
                Parameter(name="width", default=4, minimum=1, summary="width"),
                Parameter(name="hidden", default=5, minimum=1, summary="hidden"),
            ),
        )
    """,
    "nets/gated/__init__.py": "",
    "nets_dist-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: nets-dist\nVersion: 1.5\n",
    "nets_dist-1.5.dist-info/entry_points.txt": "[plumbline.workloads]\ngated = nets:ENTRY\n",
}
QUICK = """
    [axes]
    frameworks = ["numpy", "torch:eager"]
    workloads = ["gated"]

    [stop]
    blocks = 1

    [timing]
    samples = 10
    sample_ns = 5000000
    warmup_min_ns = 1000000
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return workload_template.write_template("mine", tmp_path).resolve()


def edit(folder: Path, before: str, after: str, file: str = "workload.toml") -> None:
    text = (folder / file).read_text()
    assert before in text
    (folder / file).write_text(text.replace(before, after, 1))


def test_a_folder_is_a_workload_with_its_parameters_its_presets_and_its_code(mine: Path) -> None:
    found = workloads.load_workload_folder(mine)
    assert (found.name, found.source_dir, found.package, found.reference) == ("mine", str(mine), "", "")
    assert {size.name: size.default for size in found.parameters} == {"width": 64, "hidden": 128}
    assert found.presets == {"large": {"width": 512, "hidden": 2048}}
    assert re.fullmatch(r"[0-9a-f]{16}", found.code)


def test_a_cell_has_the_code_and_its_job_the_folder(mine: Path, make_plan: MakePlan) -> None:
    plan = make_plan("numpy", axes={"workloads": (f"{mine}:large:hidden=9",)})
    (cell, clone), job = plan.cells, plan.build_job(plan.cells[0], 1, 0)
    assert (cell.workload, cell.parameters) == ("mine", {"width": 512, "hidden": 9})
    assert (job.source_dir, job.package, job.reference) == (str(mine), "", "")
    assert cell.code == clone.code == workloads.load_workload_folder(mine).code
    edit(mine, "x @", "2 * x @", "reference.py")
    assert make_plan("numpy", axes={"workloads": (f"{mine}:large:hidden=9",)}).cells[0].id != cell.id


def test_ours_have_no_code_no_folder_and_no_package(make_plan: MakePlan) -> None:
    plan = make_plan("numpy")
    job = plan.build_job(plan.cells[0], 1, 0)
    assert (job.cell.code, job.source_dir, job.package) == ("", "", "")


def test_picks_name_a_folder_as_the_axes_do(mine: Path) -> None:
    axes = {"frameworks": ("numpy",), "workloads": (str(mine), "mlp"), "batch": (1, 2)}
    said = {"exclude": [{"workload": str(mine), "batch": 2}], "include": [{"framework": "numpy", "workload": "rnn"}]}
    cells = grid.expand_request(resolve_request(SweepSpec.model_validate({"axes": axes} | said), Environments()))
    assert [(cell.workload, cell.batch) for cell in cells] == [("mine", 1), ("mlp", 1), ("mlp", 2), ("rnn", 1)]


@pytest.mark.parametrize("written", ["./mine", "mine", "../here/mine", "{}/mine"])
def test_a_path_is_made_absolute_as_seen_from_where_it_was_written(tmp_path: Path, written: str) -> None:
    here = tmp_path / "here"
    mine = workload_template.write_template("mine", here)
    said = {
        "axes": {"workloads": [f"{written.format(here)}:width=3", "rnn:length=2"]},
        "exclude": [{"workload": written.format(here)}],
        "include": [{"workload": "mlp", "framework": "numpy"}],
    }
    placed = workloads.resolve_workload_paths(said, here)
    assert placed["axes"]["workloads"] == [f"{mine.resolve()}:width=3", "rnn:length=2"]
    assert [pick["workload"] for pick in (*placed["exclude"], *placed["include"])] == [str(mine.resolve()), "mlp"]


def test_a_folder_of_the_name_of_one_of_ours_does_not_take_its_place(tmp_path: Path) -> None:
    (tmp_path / "rnn").mkdir()
    assert workloads.to_absolute_workload("rnn:length=3", tmp_path) == "rnn:length=3"
    assert workloads.to_absolute_workload("./rnn", tmp_path) == str(tmp_path.resolve() / "rnn")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("default = 64", "defualt = 64", "workload.toml:7: unknown key 'defualt'; did you mean default?"),
        ("default = 64", "", "workload.toml:6: parameters.width.default is missing"),
        ("default = 64", "default = -1", "workload.toml:7: parameters.width.default: input should be greater than"),
        ("minimum = 1", "minimum = 65", "workload.toml:7: parameters.width.default: 64 is below its minimum, 65"),
        ("[parameters.hidden]", '[parameters."a=b"]', "a=b"),
        ("hidden = 2048", "hiden = 2048", "workload.toml:17: presets.large.hiden: unknown parameter 'hiden'; did"),
        ("hidden = 2048", "hidden = 0", "workload.toml:17: presets.large.hidden: 0 is below its minimum, 1"),
        ("large =", "width =", "workload.toml:17: presets.width: a parameter has this name already"),
        ("# reference", "name = 'mlp' #", "workload.toml: the workload mlp exists already; set another `name`"),
        ("# reference", "name = 'My Net' #", "workload.toml: 'My Net' is not a valid workload name"),
        ("# reference", "reference = 'troch' #", "workload.toml:4: reference: unknown framework 'troch'; did you mean"),
        ("# reference", "reference = 'numpy' #", "workload.toml:4: reference: unknown framework 'numpy'; did you mean"),
        ("summary =", "summary", "workload.toml: not valid TOML"),
    ],
)
def test_a_mistake_in_workload_toml_is_named_with_its_line(mine: Path, before: str, after: str, sentence: str) -> None:
    edit(mine, before, after)
    with pytest.raises(UsageError, match=re.escape(sentence)):
        workloads.load_workload_folder(mine)


@pytest.mark.parametrize("missing", ["workload.toml", "reference.py"])
def test_a_folder_that_is_no_workload_says_what_it_lacks_and_what_writes_one(mine: Path, missing: str) -> None:
    (mine / missing).unlink()
    with pytest.raises(
        UsageError, match=rf"mine is not a workload: it has no {re.escape(missing)}; `.*new-workload NAME`"
    ):
        workloads.resolve_workloads([str(mine)])


def test_a_folder_that_is_not_there_and_a_name_that_is_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(f"there is no folder {tmp_path.resolve()}/nothing; ")):
        workloads.resolve_workloads([f"{tmp_path}/nothing:width=3"])
    for name in ("", "mpl", "m" * 300):
        with pytest.raises(UsageError, match=f"unknown workload '{name}'"):
            workloads.resolve_workloads([name])


def test_two_folders_of_one_name_are_variants_of_one_workload(tmp_path: Path) -> None:
    one, other = (workload_template.write_template("mine", tmp_path / place) for place in ("one", "other"))
    found = workloads.resolve_workloads([str(one), f"{other}:width=8", str(one)]).values()
    assert [(each.name, each.variant_of) for each in found] == [("one", "mine"), ("other", "mine")]
    edit(other, "# reference", "name = 'yours' #")
    apart = workloads.resolve_workloads([str(one), str(other)]).values()
    assert [(each.name, each.variant_of) for each in apart] == [("mine", ""), ("yours", "")]
    together = workloads.resolve_workloads([str(one), str(other)], together=True).values()
    assert [(each.name, each.variant_of) for each in together] == [("one", "mine"), ("other", "mine")]


def test_a_folder_that_is_named_twice_is_no_variant_of_itself(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mine.parent)
    found = workloads.resolve_workloads([str(mine), f"./{mine.name}"]).values()
    assert {(each.name, each.variant_of) for each in found} == {("mine", "")}


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (["/a/old/mine", "/a/new/mine"], ["old", "new"]),
        (["/a/Old Net/mine", "/b/Old Net/x/mine"], ["a-old-net", "b-old-net-x"]),
        (["/a/mine_v1", "/a/mine_v2", "/a/mine_v3"], ["mine_v1", "mine_v2", "mine_v3"]),
        (["/a/1/mine", "/a/2/mine"], ["v1", "v2"]),
        (["/a/mine", "/a/mine/mine"], ["v1", "v2"]),
    ],
)
def test_variants_are_named_by_what_differs_in_their_paths(places: list[str], names: list[str]) -> None:
    assert workloads.name_variants(places) == names


def test_variants_are_compared_in_one_group_and_by_their_axis(tmp_path: Path, make_plan: MakePlan) -> None:
    one, other = (str(workload_template.write_template("mine", tmp_path / place)) for place in ("one", "other"))
    Path(other, "torch.py").write_text("# another model\n")
    plan = make_plan("numpy", axes={"workloads": (one, other)})
    assert [cell.label for cell in plan.cells] == ["numpy:eager one", "numpy:eager other", "numpy:eager one (A/A)"]
    assert {cell.workload for cell in plan.cells} == {"mine"}
    jobs = [plan.build_job(cell, 1, 0) for cell in plan.cells]
    assert [Path(job.source_dir) for job in jobs] == [Path(one), Path(other), Path(one)]
    for axis in ("variant", "workload"):
        assert make_plan("numpy", axes={"workloads": (one, other)}, compare_by=axis).spec.compare_by == "variant"


def test_weights_may_come_from_the_model_that_is_the_reference(mine: Path) -> None:
    edit(mine, "# reference", "weights")
    found = workloads.load_workload_folder(mine)
    assert (found.weights, found.reference) == ("torch", "torch")
    edit(mine, "weights", 'reference = "jax"\nweights')
    with pytest.raises(UsageError, match=r"workload\.toml:\d+: weights: the reference is jax; name one of the two"):
        workloads.load_workload_folder(mine)
    edit(mine, 'reference = "jax"\nweights = "torch"', 'weights = "numpy"')
    with pytest.raises(UsageError, match=r"weights: unknown framework 'numpy'"):
        workloads.load_workload_folder(mine)


def test_a_parameter_may_say_how_often_a_model_is_called(mine: Path, make_plan: MakePlan) -> None:
    name = workloads.load_workload_folder(mine).parameters[0].name
    whole = (mine / "workload.toml").read_text()
    (mine / "workload.toml").write_text(f'loop = "{name}"\n{whole}')
    found = workloads.load_workload_folder(mine)
    assert found.count_calls({name: 7}) == 7
    plan = make_plan("numpy", axes={"workloads": (f"{mine}:{name}=3",), "tasks": ("forward",)})
    assert {plan.build_job(cell, 1, 0).loop for cell in plan.cells} == {3}
    (mine / "workload.toml").write_text(f'loop = "lenght"\n{whole}')
    with pytest.raises(UsageError, match=r"workload\.toml:1: loop: unknown parameter 'lenght'"):
        workloads.load_workload_folder(mine)


def test_a_loop_of_no_call_is_refused(mine: Path) -> None:
    (mine / "workload.toml").write_text('loop = "steps"\n[parameters.steps]\ndefault = 4\nminimum = 0\n')
    with pytest.raises(UsageError, match=r"workload\.toml:1: loop: steps may be 0, .* set its minimum to 1"):
        workloads.load_workload_folder(mine)


@pytest.mark.parametrize("task", ["backward", "train-sgd"])
def test_a_loop_has_no_gradients(make_plan: MakePlan, task: str) -> None:
    with pytest.raises(UsageError, match=f"gpt_steps is called in a loop, which has no {task}; choose --tasks forward"):
        make_plan("numpy", axes={"workloads": ("gpt_steps",), "tasks": (task,)})


def test_a_link_to_code_elsewhere_is_refused_before_anything_starts(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").touch()
    (mine / "blocks.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(UsageError, match=r"blocks\.py is a link that leads out of"):
        workloads.load_workload_folder(mine)


def test_what_the_user_has_not_written_is_unsupported_and_nothing_to_run_is_a_mistake(
    mine: Path, make_plan: MakePlan
) -> None:
    (mine / "torch.py").unlink()
    plan = make_plan("numpy", "torch:eager", "onnxruntime", axes={"workloads": (str(mine),), "tasks": ("forward",)})
    assert set(plan.refused.values()) == {f"mine has no torch.py; write one in {mine}"}
    assert {cell.framework for cell in plan.runnable} == {"numpy"}
    with pytest.raises(UsageError, match=r"nothing to run: mine has no torch\.py"):
        make_plan("torch", axes={"workloads": (str(mine),)})


def test_numpy_cannot_run_what_has_no_formulas_in_numpy(mine: Path) -> None:
    edit(mine, "# reference", "reference")
    found = workloads.load_workload_folder(mine)
    known = {framework.name: framework for framework in FRAMEWORKS}
    assert workloads.explain_missing_implementation(found, known["numpy"]) == (
        "mine has no formulas in NumPy: its reference is torch in float64"
    )
    assert workloads.explain_missing_implementation(found, known["torch"]) == ""


def test_a_reference_needs_its_framework_to_be_installed(
    mine: Path, make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(mine, "# reference", "reference")
    monkeypatch.setattr(
        Environment, "explain_missing", lambda self, framework, needs: "no torch" if framework.name == "torch" else ""
    )
    with pytest.raises(UsageError, match="nothing to run: the reference of mine is torch in float64: no torch"):
        make_plan("jax", axes={"workloads": (str(mine),)})


@pytest.mark.long
def test_an_installed_workload_is_listed_measured_and_hashed_like_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    files = {
        f"nets/gated/{path.name}": path.read_text()
        for path in workload_template.write_template("x", tmp_path).glob("*.py")
    }
    installation = install(tmp_path / "env", STRANGER | {name: files[name] for name in files if "torch" not in name})
    listed = {workload["name"]: workload for workload in installation.says("list")["workloads"]}
    assert listed.keys() == {"gated", *(workload.name for workload in WORKLOADS)}
    assert "(installed: nets.gated)" in " ".join(installation.run("list").stdout.split())
    (installation.folder / "quick.toml").write_text(dedent(QUICK))
    said = installation.says("sweep", "quick.toml")
    cells = {cell["cell"]["framework"]: cell for cell in said["groups"][0]["cells"] if not cell["cell"]["replica"]}
    assert cells["torch"]["reason"].startswith("gated has no torch.py; write one in ")
    record, again = installation.folder.glob("runs/*/jobs/001-numpy-eager-gated-*.json")
    for each in (json.loads(path.read_text()) for path in (record, again)):
        assert each["result"]["verification"]["reason"] == ""
        assert (each["spec"]["package"], each["spec"]["source_dir"]) == ("nets.gated", "")
        assert each["spec"]["cell"]["code"] == workloads.hash_workload(installation.packages / "nets" / "gated")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("schemas.workloads:WORKLOADS", "schemas.workloads:WORKLOADS is not a workload that names a module"),
        ("schemas.workloads:NO_SUCH_THING", "adds a workload that cannot be loaded"),
        ("nets:ENTRY", "adds a workload rnn, but that name is taken"),
        ("nets:LOST", "lost: there is no package nets.lost; install its distribution again"),
    ],
)
def test_what_is_no_workload_is_a_mistake_that_names_its_distribution(
    value: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = dedent(STRANGER["nets/__init__.py"]).replace('"gated"', '"rnn"')
    (tmp_path / "nets.py").write_text(
        f"{entry}\nLOST = ENTRY.model_copy(update={{'name': 'lost', 'package': 'nets.lost'}})"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=re.escape(sentence)):
        list(
            map(
                workloads.find_source_dir,
                workloads.merge_workloads([EntryPoint("nets", value, workloads.WORKLOAD_GROUP)]).values(),
            )
        )
