"""Entry point of `python -m orchestrator`."""

import os

try:
    from orchestrator.cli import main

    if __name__ == "__main__":
        main()
except KeyboardInterrupt:  # before `main` has installed its handler
    os._exit(130)
