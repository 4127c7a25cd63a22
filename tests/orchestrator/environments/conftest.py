"""Provisioners whose installer finds the wheels of the tests and nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.environments import installers, interpreters
from orchestrator.environments.cache import EnvironmentCache, read_marker
from orchestrator.environments.definitions import EnvironmentDefinition
from orchestrator.environments.environment import Environment
from orchestrator.environments.installers import Installer
from orchestrator.environments.provisioner import Provisioner, ProvisioningEvent
from orchestrator.processes.signals import Interrupts
from orchestrator.selftest.cpu_hog import ManualInterrupts
from schemas.environment import EnvironmentMarker
from tests.orchestrator.environments.wheels import make_offline_variables, make_wheel_folder


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel_folder(tmp_path_factory.mktemp("wheels"))


@pytest.fixture
def home(tmp_path: Path) -> EnvironmentCache:
    return EnvironmentCache(tmp_path / "home")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, shelf: Path) -> "RecordedProvisioner":
    """Return a shop that has made the tests' small framework, to inspect and to copy."""
    with ManualInterrupts() as silent:
        shop = RecordedProvisioner(
            EnvironmentCache(tmp_path_factory.mktemp("made") / "home"),
            installers.choose_installer(make_offline_variables(shelf)),
            silent,
        )
        shop.make(make_definition())
    return shop


@dataclass
class RecordedProvisioner:
    """Provisioner with all its events."""

    home: EnvironmentCache
    installer: Installer
    interrupts: Interrupts
    events: list[ProvisioningEvent] = field(default_factory=list)

    @property
    def workshop(self) -> Provisioner:
        return Provisioner(self.home, self.installer, self.interrupts, self.events.append)

    def make(self, *definitions: EnvironmentDefinition) -> list[EnvironmentMarker]:
        """Make environments, and return their markers."""
        made = self.workshop.make_environments([self.locate(definition) for definition in definitions])
        markers = [read_marker(each.folder) for each in made if each.folder is not None]
        return [marker for marker in markers if marker is not None]

    def locate(self, definition: EnvironmentDefinition) -> Environment:
        base, build = interpreters.find_interpreter(definition.python, definition.name)
        return Environment(name=definition.name, definition=definition).locate(base, build, self.home)

    def folder(self, definition: EnvironmentDefinition) -> Path:
        """Return the folder of an environment whose requirements have been resolved."""
        folder = self.locate(definition).folder
        assert folder is not None
        return folder

    def list_events(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


@pytest.fixture
def shop(home: EnvironmentCache, shelf: Path) -> Iterator[RecordedProvisioner]:
    with ManualInterrupts() as silent:
        yield RecordedProvisioner(home, installers.choose_installer(make_offline_variables(shelf)), silent)


def make_definition(*requirements: str, **said: object) -> EnvironmentDefinition:
    """Make a definition of the tests' small framework."""
    plain = {"name": "tiny", "stem": "tiny", "origin": "a test", "requirements": requirements or ("tiny==1.0",)}
    return EnvironmentDefinition(**{**plain, **said})  # type: ignore[arg-type]


@pytest.fixture
def define() -> Callable[..., EnvironmentDefinition]:
    return make_definition
