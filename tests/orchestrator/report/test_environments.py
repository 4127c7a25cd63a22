import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.environments.cache import EnvironmentCache
from orchestrator.environments.definitions import EnvironmentDefinition
from orchestrator.environments.environment import Environment
from orchestrator.environments.lookup import Environments
from orchestrator.environments.provisioner import Made, Making, ProvisioningEvent, Resolving, Waiting
from orchestrator.planning.plan import Plan
from orchestrator.report import environment_inventory, environments
from orchestrator.report.plan import build_plan_document, show_plan
from schemas.catalog import FRAMEWORKS, Framework
from schemas.environment import EnvironmentMarker, EnvironmentRecord

TINY = Environment(
    name="tiny@1",
    definition=EnvironmentDefinition(name="tiny@1", stem="tiny", origin="a test", requirements=("tiny==1",)),
)
RECORD = EnvironmentRecord(
    interpreter="/x",
    python="3.12.1",
    freeze="ab" * 8,
    installed={},
    packages={"helper": "1", "keras": "3.15.1", "numpy": "2.4", "tensorflow-cpu": "2.20.0"},
)
READY = EnvironmentMarker(
    name="tiny",
    asked=TINY.requirements,
    resolved=(),
    environment=RECORD,
    modules=(),
    base="/x",
    installer="pip",
    made="now",
    took_s=38.2,
    size_bytes=1500 << 20,
)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Resolving(TINY, "uv"), "environment tiny@1: uv resolves tiny==1, numpy, pydantic>=2.10, autograd>=1.9"),
        (Waiting(TINY, "4711"), "environment tiny@1: waiting for process 4711, which is creating it"),
        (Making(TINY, "pip", 41), "environment tiny@1: pip installs 41 packages"),
        (Made(TINY, READY), "environment tiny@1: ready after 38.2 s, 1.5 GiB"),
    ],
)
def test_each_step_is_a_line(event: ProvisioningEvent, line: str) -> None:
    assert environments.format_progress(event) == line


def test_a_cuda_build_is_told_as_it_is_installed_and_in_what_an_environment_is_summed_up_by() -> None:
    large = replace(TINY, pinned=("nvidia-cublas-cu12==12.8 --hash=sha256:aa", "tiny==1"))
    assert environments.format_progress(Making(large, "pip", 2)) == (
        "environment tiny@1: pip installs 2 packages, with a CUDA build among them"
    )
    record = RECORD.model_copy(update={"packages": {"torch": "2.13.0", "nvidia-cublas-cu12": "12.8"}})
    assert environments.summarise_environment(record).startswith("Python 3.12.1, torch 2.13.0, CUDA build; freeze ")
    assert environments.environment_to_dict(replace(large, record=record))["build"] == "CUDA"
    assert environments.environment_to_dict(replace(TINY, record=RECORD))["build"] is None


def test_an_environment_is_summed_up_by_its_python_its_frameworks_and_its_freeze() -> None:
    (line,) = environments.summarise_environments({"tensorflow@2.20": RECORD})
    assert line == (
        "Environment tensorflow@2.20: Python 3.12.1, tensorflow-cpu 2.20.0, keras 3.15.1, numpy 2.4; "
        "freeze abababababababab"
    )


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
def test_an_environments_summary_names_every_distribution_of_a_framework(framework: Framework) -> None:
    versions = dict.fromkeys(framework.distributions, "1.5")
    summary = environments.summarise_environment(RECORD.model_copy(update={"packages": {"helper": "1", **versions}}))
    told = ", ".join(f"{name} 1.5" for name in framework.distributions)
    assert summary == f"Python 3.12.1, {told}; freeze abababababababab"


def printed(show: Callable[[Console], None]) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_plan_says_which_environments_it_would_make_and_of_which_builds(make_plan: Callable[..., Plan]) -> None:
    plan = make_plan("tensorflow@2.20:eager", "numpy")
    text = printed(lambda console: show_plan(console, plan, {}))
    words = " ".join(text.split())
    assert "tensorflow-cpu==2.20, numpy," in words
    assert "made on first use" in words
    assert "nothing: used as it is" in words
    assert max(map(len, text.splitlines())) <= 80
    said = build_plan_document(plan, {})
    assert [(each["name"], each["state"]) for each in said["environments"]] == [
        ("tensorflow@2.20", "made on first use"),
        ("current", "as it is"),
    ]


def test_a_gpu_is_told_with_what_follows_from_it() -> None:
    table = environments.build_environments_table([], accelerated=True)
    assert "NVIDIA GPU found: built-in ones use CUDA builds" in str(table.title)
    assert "no NVIDIA GPU: CPU builds" in str(environments.build_environments_table([], accelerated=False).title)


def test_a_definition_that_cannot_be_understood_is_listed_with_its_problem(tmp_path: Path) -> None:
    said = environment_inventory.build_inventory(Environments({}, EnvironmentCache(tmp_path)), ["torch", "no such"])
    torch, unknown = said["environments"]
    assert (torch["problem"], torch["state"]) == (None, "made on first use")
    assert unknown["problem"].startswith("unknown environment 'no such'")
    text = printed(lambda console: environment_inventory.show_inventory(console, said))
    assert "torch==2.13.0" in text
    assert max(map(len, text.splitlines())) <= max(80, len(str(tmp_path)) + 50)


def test_what_only_an_interpreter_can_tell_is_null_and_in_words_not_looked_at_yet() -> None:
    definition = EnvironmentDefinition(name="mine", stem="mine", origin="a test", python="3.12", requirements=("x",))
    unknown = (Environment(name="/x/python"), Environment(name="mine", definition=definition))
    said = [environments.environment_to_dict(each) for each in unknown]
    assert [(each["state"], each["python"], each["interpreter"]) for each in said] == [
        (None, None, None),
        (None, "3.12", None),
    ]
    text = printed(lambda console: console.print(environments.build_environments_table(unknown, accelerated=False)))
    assert text.count("not looked at yet") == 3


def test_what_a_foreign_environment_is_can_be_told_without_a_site() -> None:
    said = environment_inventory.build_environment_details(
        Environment(name="/x/python", record=RECORD, modules=frozenset())
    )
    assert (said["state"], said["python"], said["resolved"]) == ("as it is", "3.12.1", None)
    text = printed(lambda console: environment_inventory.show_environment_details(console, said))
    assert "tensorflow-cpu 2.20.0" in text
