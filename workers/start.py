"""The worker's program, started as a file. Its own imports are claimed first: a user may have a module `schemas`.

With the number of a socket as its argument it is a template first, which forks workers. With the argument `judge` it
is no worker, but compares what workers have saved. With `accompany` it answers requests beside a worker.
"""

import os
import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import cast

OWN_IMPORTS = "_plumbline.schemas.own_imports"
MAIN = "_plumbline.workers.__main__"
TEMPLATE = "_plumbline.workers.template"
JUDGE = "_plumbline.workers.tasks.judge"
COMPANION = "_plumbline.workers.tasks.accompany"

# Also in a process that a framework starts with `multiprocessing`, which runs this file under another name.
_file = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "schemas", "own_imports.py")
sys.modules[OWN_IMPORTS] = _module = ModuleType(OWN_IMPORTS)
_module.__file__ = _file
SourceFileLoader(OWN_IMPORTS, _file).exec_module(_module)
_module.claim_imports()

# OpenVINO reports its import to its maker, from a thread, unless this module is missing.
cast("dict[str, ModuleType | None]", sys.modules)["openvino_telemetry"] = None

if __name__ == "__main__" and sys.argv[1:] == ["judge"]:
    import_module(JUDGE).serve_requests()
elif __name__ == "__main__" and sys.argv[1:] == ["accompany"]:
    import_module(COMPANION).serve_rounds()
elif __name__ == "__main__":
    _worker = import_module(MAIN)
    if _forks := bool(sys.argv[1:]):
        import_module(TEMPLATE).become_job(int(sys.argv[1]))
    _worker.main(is_forked=_forks)
