"""Provisioners whose installer finds the wheels of the tests and nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.environments import installers
from orchestrator.environments.definitions import Definition
from orchestrator.environments.home import Home, Place
from orchestrator.environments.installers import Installer
from orchestrator.environments.provision import Event, Site, Workshop, survey
from orchestrator.hog import Bell
from orchestrator.interrupts import Interrupts
from schemas.environment import Ready
from tests.orchestrator.environments.wheels import a_shelf, offline


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_shelf(tmp_path_factory.mktemp("wheels"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, shelf: Path) -> "Shop":
    """Return a shop that has made the tests' small framework, to inspect and to copy."""
    with Bell() as silent:
        shop = Shop(Home(tmp_path_factory.mktemp("made") / "home"), installers.here(offline(shelf)), silent)
        shop.make(a_definition())
    return shop


@dataclass
class Shop:
    """Provisioner with all its events."""

    home: Home
    installer: Installer
    interrupts: Interrupts
    events: list[Event] = field(default_factory=list)

    @property
    def workshop(self) -> Workshop:
        return Workshop(self.home, self.installer, self.interrupts, self.events.append)

    def make(self, *definitions: Definition) -> list[Ready]:
        return self.workshop.make([self.site(definition) for definition in definitions])

    def site(self, definition: Definition) -> Site:
        return survey(definition, self.home)

    def place(self, definition: Definition) -> Place:
        """Return the place of an environment whose requirements have been resolved."""
        place = self.site(definition).place
        assert place is not None
        return place

    def said(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


@pytest.fixture
def shop(home: Home, shelf: Path) -> Iterator[Shop]:
    with Bell() as silent:
        yield Shop(home, installers.here(offline(shelf)), silent)


def a_definition(*requirements: str, **said: object) -> Definition:
    """Make a definition of the tests' small framework."""
    plain = {"name": "tiny", "stem": "tiny", "origin": "a test", "requirements": requirements or ("tiny==1.0",)}
    return Definition(**{**plain, **said})  # type: ignore[arg-type]


@pytest.fixture
def define() -> Callable[..., Definition]:
    return a_definition
