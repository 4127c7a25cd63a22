"""The short form of the campaign of sweeps on several machines; `tests.faults.shares` runs the long form."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import ssh_server
from tests.faults.disturbed_sweep import can_mount
from tests.faults.share_faults import WITH_SLURM, WITH_SSH, Trial
from tests.faults.shares import run_trial
from tests.faults.slurm_cluster import SlurmCluster, explain_missing, run_slurm

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
# Shares run by then, and still do.
MOMENTS_S = (3, 7)
NO_SLURM, NO_SSH = explain_missing(), ssh_server.explain_missing()


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    with run_slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ssh_server.SshServer]:
    with ssh_server.run_ssh_server(tmp_path_factory.mktemp("ssh")) as found:
        yield found


def skip_unmountable(fault: str) -> None:
    if fault == "disk full" and not can_mount():
        pytest.skip("only root can mount a disk")


@pytest.mark.skipif(bool(NO_SLURM), reason=NO_SLURM or "Slurm is here")
@pytest.mark.parametrize("fault", WITH_SLURM)
def test_a_fault_on_slurm_breaks_no_promise(tmp_path: Path, slurm: SlurmCluster, fault: str) -> None:
    skip_unmountable(fault)
    rng = random.Random(fault)
    made = run_trial(Trial(tmp_path, fault, rng.uniform(*MOMENTS_S), slurm, rng=rng), WITH_SLURM[fault])
    assert (made.hit, made.broken) == (True, [])


@pytest.mark.skipif(bool(NO_SSH), reason=NO_SSH or "sshd is here")
@pytest.mark.parametrize("fault", WITH_SSH)
def test_a_fault_over_ssh_breaks_no_promise(tmp_path: Path, server: ssh_server.SshServer, fault: str) -> None:
    skip_unmountable(fault)
    rng = random.Random(fault)
    nodes = 'nodes = ["127.0.0.1", "localhost"]'
    made = Trial(tmp_path, fault, rng.uniform(*MOMENTS_S), None, on=server.template, nodes=nodes, rng=rng)
    run_trial(made, WITH_SSH[fault])
    assert (made.hit, made.broken) == (True, [])
