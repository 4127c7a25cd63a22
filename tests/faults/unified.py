"""The tests of cgroups on a kernel with version 2 of the interface, on any machine.

`python -m tests.faults.unified` boots user-mode Linux, a kernel that runs as a program, on this machine's files. It
exits with the result of the tests. The kernel is in the package `user-mode-linux`.
"""

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = (
    "tests/orchestrator/processes/test_cgroup.py",
    "tests/orchestrator/processes/test_limits.py",
    "tests/orchestrator/processes/test_descendants.py",
)
INIT = """\
#!/bin/sh
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs tmp /tmp && mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm
echo "+memory +pids" > /sys/fs/cgroup/cgroup.subtree_control
cd {root} && PATH=/usr/bin:/bin HOME=/tmp PYTHONPATH={root} {python} -m pytest -q --color=no -p no:cacheprovider {tests}
echo "the tests ended with $?"
echo o > /proc/sysrq-trigger && sleep 60
"""


def main() -> None:
    """Boot, test, and power off."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # not in /tmp, which the booted kernel replaces
        init = Path(folder, "init")
        said = INIT.format(root=shlex.quote(str(ROOT)), python=shlex.quote(sys.executable), tests=" ".join(TESTS))
        init.write_text(said)
        init.chmod(0o755)
        kernel = ["linux.uml", "rootfstype=hostfs", "rootflags=/", "rw", "mem=2G", f"init={init}", "quiet"]
        done = subprocess.run(
            [*kernel, "con=null", "con0=fd:0,fd:1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
            timeout=900,
        )
    print(done.stdout)
    sys.exit("the tests ended with 0" not in done.stdout)


if __name__ == "__main__":
    main()
