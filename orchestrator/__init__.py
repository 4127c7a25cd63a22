"""Orchestrator: plans, launches, watches, stores and analyses. It imports no framework, and nothing from `workers`."""

import os
import sys

OWN_IMPORTS = "_plumbline.schemas.own_imports"

try:
    from importlib.machinery import SourceFileLoader
    from types import ModuleType

    # Before any other module: a user may have a module `schemas`, in the current folder or in a process with this
    # program.
    if OWN_IMPORTS not in sys.modules:
        _file = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "schemas", "own_imports.py")
        sys.modules[OWN_IMPORTS] = _module = ModuleType(OWN_IMPORTS)
        _module.__file__ = _file
        SourceFileLoader(OWN_IMPORTS, _file).exec_module(_module)
        _module.claim_imports()
except KeyboardInterrupt:
    # `python -m orchestrator`, for which the first argument is still this one, comes here before it can have a handler.
    if sys.argv[:1] != ["-m"]:
        raise
    os._exit(130)
