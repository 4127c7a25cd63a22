"""Imports of this project's modules by each other, in a process where a user has modules named like them.

`schemas` and `workers` are names that many projects use. So the modules of these packages are loaded below a private
name, and an import in a module of this project leads there. The plain names belong to the user: they mean the user's
modules, and this project's only if there are no others. So `from workers.autodiff import gradients_of` works in a
user's code, beside a module `schemas` of the user.

This file is loaded by its path, before the name `schemas` means anything. It imports what Python has loaded anyway:
until the program has a handler for Ctrl-C, each further import would be a chance for a traceback.
"""

import builtins
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

PRIVATE = "_plumbline"
SHARED = ("schemas", "workers")
ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def claim_imports() -> None:
    """Make the modules of this project that are imported from now on import each other, whatever else is there."""
    if PRIVATE in sys.modules:
        return
    package = sys.modules[PRIVATE] = ModuleType(PRIVATE)
    package.__path__ = []
    # A module that a user's code has imported already gets its second name, or its classes would exist twice.
    for name, module in list(sys.modules.items()):
        if is_shared(name) and is_below_root(getattr(module, "__file__", None)):
            sys.modules[f"{PRIVATE}.{name}"] = module
    sys.meta_path.insert(0, OwnFinder())


def release_names() -> None:
    """Free the plain names that mean this project's modules: since then, a user's code may have extended the path."""
    for name, module in list(sys.modules.items()):
        if is_shared(name) and getattr(module, "__name__", "").startswith(f"{PRIVATE}."):
            del sys.modules[name]


def import_own(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 (the signature of __import__)
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """Import as the statement in a module of this project does."""
    if level or not is_shared(name):
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    if fromlist:
        return builtins.__import__(f"{PRIVATE}.{name}", globals, locals, fromlist)
    import_module(f"{PRIVATE}.{name}")
    return sys.modules[f"{PRIVATE}.{name.partition('.')[0]}"]


# The import statement looks for `__import__` in the builtins of its own module.
OWN_BUILTINS = {**vars(builtins), "__import__": import_own}


class OwnLoader(SourceFileLoader):
    """A loader of this project's modules."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        module.__dict__["__builtins__"] = OWN_BUILTINS
        super().exec_module(module)


class SecondName(SourceFileLoader):
    """A loader of a module of this project by its plain name: it is the same module."""

    def __init__(self, name: str) -> None:
        self._module = import_module(f"{PRIVATE}.{name}")
        self._spec = self._module.__spec__
        super().__init__(name, str(self._module.__file__))

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002 (importlib passes it)
        """Return the module."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Restore what importlib has set, and run nothing: the module has run already."""
        module.__spec__ = self._spec


class OwnFinder:
    """A finder of this project's modules by their private names, and by the plain ones that no user's module has."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,  # noqa: ARG002 (importlib passes it)
    ) -> ModuleSpec | None:
        """Find a module of this project; None: it is another one, or does not exist."""
        first, _, rest = name.partition(".")
        if first == PRIVATE:
            return find_own_spec(rest, name)
        if first == "orchestrator" and rest:
            return find_own_spec(name, name)
        own = find_own_spec(name, name) if is_shared(name) else None
        if own is None:
            return None
        is_package = own.submodule_search_locations is not None
        return self._find_foreign(name, path) or ModuleSpec(name, SecondName(name), is_package=is_package)

    def _find_foreign(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Find the user's module of this name."""
        for finder in sys.meta_path:
            # Without this project's folder: its package would win over a user's folder without `__init__.py`.
            among = list_foreign_folders() if path is None and finder is PathFinder else path
            found = None if finder is self else finder.find_spec(name, among)
            if found is not None and not is_own_spec(found):
                return found
        return None


def find_own_spec(name: str, full_name: str) -> ModuleSpec | None:
    """Find a module of this project by its path, to be imported by its full name."""
    place = os.path.join(ROOT, *name.split("."))
    for file, is_package in ((os.path.join(place, "__init__.py"), True), (f"{place}.py", False)):
        if os.path.isfile(file):
            found = ModuleSpec(full_name, OwnLoader(full_name, file), origin=file, is_package=is_package)
            found.has_location = True
            if found.submodule_search_locations is not None:
                found.submodule_search_locations.append(place)
            return found
    return None


def list_foreign_folders() -> list[str]:
    """Return the folders of the path, without those that hold this project."""
    return [folder for folder in sys.path if not holds_project(folder)]


def is_own_spec(spec: ModuleSpec) -> bool:
    """Return whether a module that has been found is this project's, perhaps of another version."""
    place = next(iter(spec.submodule_search_locations or ()), spec.origin or "")
    for _ in spec.name.split("."):
        place = os.path.dirname(os.path.realpath(place))
    return holds_project(place)


def holds_project(folder: str) -> bool:
    """Return whether the packages of this project are in a folder."""
    return os.path.isfile(os.path.join(folder, "orchestrator", "registry", "plugins.py"))


def is_below_root(file: str | None) -> bool:
    """Return whether a file is part of this project."""
    return file is not None and os.path.realpath(file).startswith(ROOT + os.sep)


def is_shared(name: str) -> bool:
    """Return whether a name belongs to a package whose name a user may have taken."""
    return name.partition(".")[0] in SHARED
