"""A real sweep of workers whose times are known."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def run_known_sweep(folder: Path, sweep: str, *limits: str) -> dict[str, Any]:
    """Run a sweep file of at most eight blocks in a folder, and return its document."""
    (folder / "known.toml").write_text(sweep)
    command = [sys.executable, "-m", "orchestrator", "sweep", "known.toml", "--json", "--blocks", "8"]
    done = subprocess.run(
        [*command, "--budget", "120s", *limits], cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
