"""Abilities are seen where they are, and only there; asking for them brings in no NumPy."""

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from workers import workloads
from workers.frameworks import numpy, require_trainer
from workers.interfaces import (
    Framework,
    HasDistributions,
    HasElements,
    HasFlops,
    HasImplementation,
    HasPath,
    HasStatistics,
    HasTrainingLoss,
    HasUneven,
    HasWorkloads,
    SupportsDeviceMemory,
    SupportsSaving,
    SupportsTraining,
)

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python


def test_the_interfaces_and_what_comes_before_a_frameworks_import_bring_in_no_numpy(python: "Python") -> None:
    ended = python("import sys, workers.__main__, workers.interfaces; print('numpy' in sys.modules)")
    assert (ended.status, ended.output) == (0, b"False\n"), ended.log


def test_a_framework_has_the_abilities_that_its_class_has(ask: "Ask") -> None:
    framework = numpy.Framework(ask("numpy", "eager", "mlp").cell)
    assert isinstance(framework, HasImplementation)
    for lacking in (SupportsSaving, SupportsDeviceMemory, HasWorkloads, HasDistributions):
        assert not isinstance(framework, lacking)


def test_a_framework_can_train_once_a_step_of_training_is_prepared(ask: "Ask") -> None:
    framework: Framework = numpy.Framework(ask("numpy", "eager", "mlp", task="train-sgd").cell)
    assert not isinstance(framework, SupportsTraining)
    reference = workloads.import_reference("mlp")
    framework.step((reference, {}), (), ())
    assert isinstance(framework, SupportsTraining)
    assert require_trainer(framework) is framework.trainer


@pytest.mark.parametrize(
    ("workload", "ability", "has"),
    [
        ("early_exit", HasPath, True),
        ("mlp", HasPath, False),
        ("resnet", HasStatistics, True),
        ("mlp", HasStatistics, False),
        ("gather_scatter", HasElements, True),
        ("mlp", HasElements, False),
        ("mlp", HasFlops, True),
        ("mlp", HasUneven, False),
    ],
)
def test_a_reference_has_the_abilities_that_its_module_has(workload: str, ability: type[Any], *, has: bool) -> None:
    assert isinstance(workloads.import_reference(workload), ability) is has


@pytest.mark.parametrize("holder", [SimpleNamespace, lambda **has: type("Model", (), has)()])
def test_an_ability_that_is_none_is_no_ability(holder: Callable[..., object]) -> None:
    assert isinstance(holder(training_loss=len), HasTrainingLoss)
    assert not isinstance(holder(training_loss=None), HasTrainingLoss)
    module = ModuleType("reference")
    vars(module)["path"] = None
    assert not isinstance(module, HasPath)
