"""In a sandbox, code reads what it needs, writes to its own folder alone, and reaches neither network nor parent."""

import ctypes
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure, Report
from tests.workers.own_code import write_workload
from workers.errors import Unsupported
from workers.process import sandbox

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Ended, Work

HAS_LANDLOCK = sys.platform == "linux" and ctypes.CDLL(None).syscall(sandbox.CREATE_RULESET, None, 0, 1) > 0
needs_landlock = pytest.mark.skipif(not HAS_LANDLOCK, reason="this kernel has no Landlock")

CODE = """
    import os, socket, sys
    import torch

    def tell(what, act):
        try:
            act()
        except OSError as error:
            print("refused", what, file=sys.stderr)
        else:
            print("allowed", what, file=sys.stderr)

    class Model(torch.nn.Module):
        def __init__(self, parameters, weights):
            super().__init__()
            self.w = torch.nn.Parameter(weights["w"])
            tell("writing elsewhere", lambda: open("{elsewhere}/made", "w").close())
            tell("reading elsewhere", lambda: open("{elsewhere}/secret").read())
            tell("removing", lambda: os.remove("{elsewhere}/secret"))
            tell("a network", lambda: socket.create_connection(("127.0.0.1", {port}), 2))
            tell("a signal", lambda: os.kill({pid}, 0))
            tell("the environment of others", lambda: open("/proc/{pid}/environ").read())
            tell("a disk", lambda: os.mknod(os.path.join("/dev", "made")))
            tell("its own folder", lambda: open(os.path.join("{own}", "made"), "w").close())
            tell("its code", lambda: open(__file__).read())
        def forward(self, x): return torch.tanh(x * self.w)
"""

# What code with the rights of its user reaches, whoever that is.
REACHED = ("writing elsewhere", "reading elsewhere", "removing", "a network", "a signal", "the environment of others")

PLAIN = """
    import os
    import torch
    class Model(torch.nn.Module):
        def __init__(self, parameters, weights):
            super().__init__()
            self.w = torch.nn.Parameter(weights["w"])
            {made}
        def forward(self, x): return torch.tanh(x * self.w)
"""

Placed = Callable[..., "Ended"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    folder.joinpath("secret").write_text("secret")
    return folder


@pytest.fixture
def placed(ask: "Ask", work: "Work", tmp_path: Path) -> Placed:
    """Measure code, in a sandbox unless that is not wanted."""

    def run(code: str, *, sandbox: bool = True, forward: str = "np.tanh(x * w)") -> "Ended":
        own = write_workload(tmp_path / "own", "torch", code, forward=forward)
        spec = ask("torch", "eager", "own", {}, task="forward", batch=1, code=own.code)
        return work(spec.model_copy(update={"source_dir": own.source_dir, "sandbox": sandbox}))

    return run


@pytest.fixture
def measured(placed: Placed, tmp_path: Path, elsewhere: Path) -> Placed:
    """Measure code that tries to reach out; it tells in its log what it could."""

    def run(*, sandbox: bool) -> "Ended":
        with socket.create_server(("127.0.0.1", 0)) as server:
            known = {"elsewhere": elsewhere, "port": server.getsockname()[1], "pid": os.getpid()}
            return placed(CODE.format(**known, own=tmp_path / "job"), sandbox=sandbox)

    return run


@pytest.mark.long
@needs_landlock
def test_code_in_a_sandbox_is_measured_and_reaches_nothing_but_its_own(
    measured: Placed, tmp_path: Path, elsewhere: Path
) -> None:
    ended = measured(sandbox=True)
    assert ended.report.verification.reason == ""
    for what in (*REACHED, "a disk"):
        assert f"refused {what}" in ended.log
    assert "allowed its code" in ended.log
    assert [path.name for path in elsewhere.iterdir()] == ["secret"]


def test_code_without_a_sandbox_has_the_rights_of_its_user(measured: Placed, elsewhere: Path) -> None:
    ended = measured(sandbox=False)
    assert ended.report.verification.reason == ""
    # The model is built several times, and the secret is there at first.
    for what in REACHED:
        assert f"allowed {what}" in ended.log
    assert elsewhere.joinpath("made").exists()


def test_a_kernel_without_one_is_told_instead_of_measuring_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unsupported, match="this kernel has no Landlock, which --sandbox needs"):
        sandbox.enter_sandbox([], [])


@needs_landlock
def test_what_a_sandboxed_process_starts_is_in_it_too(placed: Placed, tmp_path: Path) -> None:
    ended = placed(PLAIN.format(made=f"os.system('touch {tmp_path}/made || echo refused by the shell >&2')"))
    assert isinstance(ended.events[-1], Report), ended.events[-1]
    assert "refused by the shell" in ended.log
    assert not tmp_path.joinpath("made").exists()


@needs_landlock
def test_a_reference_is_in_a_sandbox_too(placed: Placed, tmp_path: Path) -> None:
    forward = f"np.tanh(x * w) if not open('{tmp_path}/made', 'w').close() else 0"
    last = placed(PLAIN.format(made="pass"), forward=forward).events[-1]
    assert isinstance(last, Failure)
    assert "PermissionError" in last.reason
    assert not tmp_path.joinpath("made").exists()
