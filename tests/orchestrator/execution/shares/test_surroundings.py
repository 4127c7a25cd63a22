"""Settings of a site for other programs do not reach the workers, and a share uses the GPUs that it asked for."""

import os
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.shares.surroundings import choose_home, clear_variables, hide_gpus, make_private_folder


@pytest.mark.parametrize(
    "name",
    [
        "SLURM_JOB_ID",
        "SLURM_CPUS_PER_TASK",
        "SLURMD_NODENAME",
        "SBATCH_PARTITION",
        "PMI_RANK",
        "PMIX_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "I_MPI_PIN",
        "KUBERNETES_SERVICE_HOST",
        "OMP_NUM_THREADS",
        "OMP_PROC_BIND",
        "KMP_AFFINITY",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
    ],
)
def test_variables_of_launchers_and_sites_are_removed(name: str) -> None:
    variables = {name: "1", "PATH": "/bin"}
    clear_variables(variables, ())
    assert variables == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "PLUMBLINE_HOME", "XOMP_X"]
)
def test_other_variables_stay(name: str) -> None:
    variables = {name: "1"}
    clear_variables(variables, ())
    assert variables == {name: "1"}


def test_a_variable_that_was_asked_for_stays() -> None:
    variables = {"OMP_PROC_BIND": "true", "OMP_NUM_THREADS": "8"}
    clear_variables(variables, ("OMP_PROC_BIND",))
    assert variables == {"OMP_PROC_BIND": "true"}


@pytest.mark.parametrize(
    ("given", "found", "asked", "left"),
    [
        (None, ["A100"] * 4, 1, "0"),
        (None, ["A100"] * 4, 2, "0,1"),
        ("2,3", ["A100"] * 4, 1, "2"),
        ("GPU-aa,GPU-bb", ["A100"] * 2, 2, "GPU-aa,GPU-bb"),
    ],
)
def test_gpus_beyond_those_that_were_asked_for_are_hidden(
    given: str | None, found: list[str], asked: int, left: str
) -> None:
    variables = {} if given is None else {"CUDA_VISIBLE_DEVICES": given}
    hide_gpus(variables, asked, found)
    assert variables == {"CUDA_VISIBLE_DEVICES": left}


def test_a_share_that_asks_for_no_gpu_hides_none() -> None:
    variables = {"CUDA_VISIBLE_DEVICES": "0,1"}
    hide_gpus(variables, None, ["A100"] * 2)
    assert variables == {"CUDA_VISIBLE_DEVICES": "0,1"}


@pytest.mark.parametrize("given", [None, "", "-1", "0"])
def test_a_node_with_too_few_gpus_says_so(given: str | None) -> None:
    variables = {} if given is None else {"CUDA_VISIBLE_DEVICES": given}
    with pytest.raises(UsageError, match="GPUs, and its share asks for 2; ask for fewer"):
        hide_gpus(variables, 2, ["A100"])


def test_the_folder_of_environments_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    variables = {"PLUMBLINE_HOME": "/elsewhere"}
    choose_home(variables, "/scratch/me", tmp_path)
    assert variables == {"PLUMBLINE_HOME": "/scratch/me"}


def test_a_folder_that_the_node_sets_stays(tmp_path: Path) -> None:
    variables = {"PLUMBLINE_HOME": "/local"}
    choose_home(variables, "", tmp_path)
    assert variables == {"PLUMBLINE_HOME": "/local"}
    assert [*tmp_path.iterdir()] == []


def test_without_any_it_is_a_private_folder_on_the_disk_of_the_node(tmp_path: Path) -> None:
    variables: dict[str, str] = {}
    choose_home(variables, "", tmp_path)
    made = Path(variables["PLUMBLINE_HOME"])
    assert made.parent == tmp_path
    assert made.stat().st_mode & 0o777 == 0o700
    choose_home(again := dict[str, str](), "", tmp_path)
    assert again == variables


def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(UsageError, match="is not a private folder of this user; remove it, or set home"):
        make_private_folder(folder)


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    with pytest.raises(UsageError, match="is not a private folder"):
        make_private_folder(tmp_path / "link")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_disk_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match=r"cannot make .*: Permission denied; set home"):
        make_private_folder(tmp_path / "mine")


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(UsageError, match=r"cannot make .*: File exists; set home"):
        make_private_folder(tmp_path / "mine")
