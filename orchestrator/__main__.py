"""Entry point of `python -m orchestrator`."""

import os
import sys

try:
    # Python puts the current folder first. A file there, such as the numpy.py of a workload, must not become a library.
    if __name__ == "__main__" and not sys.flags.safe_path and not os.path.isdir(f"{sys.path[0]}/orchestrator/cli"):
        del sys.path[0]

    from orchestrator.cli import main

    if __name__ == "__main__":
        main()
except KeyboardInterrupt:  # before `main` has installed its handler
    os._exit(130)
