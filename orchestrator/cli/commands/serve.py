"""`serve`: the runs of a folder in a browser."""

from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.files.cache_folder import find_cache_folder


def serve_folder(root: Path, port: int) -> None:
    """Serve the runs of a folder until a signal ends it."""
    try:
        from orchestrator.report.server.run import serve_runs
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UsageError("serve needs starlette and uvicorn: pip install 'plumbline-ml[serve]'") from error
    serve_runs(root, port, find_cache_folder(), lambda address: print(address, flush=True))
