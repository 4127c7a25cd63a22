"""The command `doctor` on this machine."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.exit_codes import ExitCode
from tests.orchestrator.machine.test_doctor import ROOT


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str
    seconds: float


def run(*arguments: str, columns: int = 80) -> Said:
    """Run the command in its own process, which finally lists its imports on descriptor 2."""
    program = f"""
import atexit, sys
tell = lambda: print("imported:", *sorted({{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
atexit.register(tell)
sys.argv = ["plumbline", "doctor", *{arguments!r}]
from orchestrator.cli.app import main
main()
"""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": str(columns), "OMP_NUM_THREADS": "1", "API_TOKEN": "hush"},
    )
    return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def test_the_command_judges_this_machine_and_imports_no_framework(tmp_path: Path) -> None:
    said = run("--runs", str(tmp_path / "runs"))
    assert said.code in (ExitCode.FINE, ExitCode.UNFIT)
    assert "Traceback" not in said.out + said.err
    assert max(map(len, said.out.splitlines())) <= 80
    assert said.out.splitlines()[-1].startswith("Verdict: unfit" if said.code else "Verdict: fit")
    (imported,) = (line.split() for line in said.err.splitlines() if line.startswith("imported:"))
    assert not {"torch", "tensorflow", "keras", "jax", "onnxruntime", "openvino"} & {*imported}
    assert not (tmp_path / "runs").exists()
    assert said.seconds < 15  # two seconds where nobody else computes


def test_the_command_as_one_document_is_strict_json_without_secrets_and_unfit_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = run("--json", "--runs", str(tmp_path / "file"), columns=20)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(said.out, parse_constant=refuse)
    assert said.code == int(ExitCode.UNFIT) == 1
    assert document["verdict"] == "unfit"
    assert [each["about"] for each in document["findings"] if each["severity"] == "unfit"][-1:] == ["disk"]
    assert document["host"]["variables"] == {"OMP_NUM_THREADS": "1"}
    assert "hush" not in said.out
