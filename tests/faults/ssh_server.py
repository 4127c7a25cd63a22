"""A loopback sshd of the current user, with separate keys, port and configuration."""

import contextlib
import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.slurm_cluster import DIE_WITH_TESTS, find_free_ports

PROGRAMS = ("sshd", "ssh", "ssh-keygen")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PermitUserEnvironment no
AcceptEnv PLUMBLINE_*
"""


def explain_missing() -> str:
    """Return why no sshd can be run here; empty if it can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    return f"needs {', '.join(missing)}: apt-get install openssh-server" if missing else ""


@dataclass(frozen=True)
class SshServer:
    """A running server, and the command that reaches it."""

    template: str


@contextlib.contextmanager
def run_ssh_server(folder: Path) -> Iterator[SshServer]:
    """Run an sshd while entered."""
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, timeout=60)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    (port,) = find_free_ports(1)
    (folder / "sshd_config").write_text(CONFIGURATION.format(port=port, folder=folder))
    with contextlib.suppress(OSError):
        Path("/run/sshd").mkdir(exist_ok=True)  # where root separates privileges
    program = shutil.which("sshd", path=PATH)
    assert program is not None
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen(
            [*DIE_WITH_TESTS, program, "-D", "-e", "-f", str(folder / "sshd_config")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "LogLevel": "ERROR",
        "SendEnv": "PLUMBLINE_*",
    }
    said = " ".join(f"-o {name}={value}" for name, value in options.items())
    try:
        time.sleep(0.5)
        assert server.poll() is None, (folder / "sshd.log").read_text()
        yield SshServer(
            f"ssh -F none -p {port} -i {folder}/user_key -l {getpass.getuser()} {said} {{node}} {{command}}"
        )
    finally:
        server.terminate()
        server.wait(10)
