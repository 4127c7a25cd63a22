"""The worker's program, started as a file. Its own imports are claimed first: a user may have a module `schemas`."""

import os
import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader
from types import ModuleType

OWN_IMPORTS = "_plumbline.schemas.own_imports"
MAIN = "_plumbline.workers.__main__"

# Also in a process that a framework starts with `multiprocessing`, which runs this file under another name.
_file = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "schemas", "own_imports.py")
sys.modules[OWN_IMPORTS] = _module = ModuleType(OWN_IMPORTS)
_module.__file__ = _file
SourceFileLoader(OWN_IMPORTS, _file).exec_module(_module)
_module.claim_imports()

if __name__ == "__main__":
    import_module(MAIN).main()
