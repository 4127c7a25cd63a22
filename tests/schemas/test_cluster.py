"""The settings of machines, and the documents of shares, hold nothing that leads elsewhere."""

import pytest
from pydantic import ValidationError

from schemas.cluster import Cluster
from schemas.record import Identity
from schemas.share import ClosedBlock, Frame, ShareEnd, ShareSpec
from schemas.sweep import SweepSpec

SHARE = {
    "run": "a",
    "share": 1,
    "attempt": 1,
    "first": 2,
    "last": 3,
    "sweep": {},
    "seed": 1,
    "identity": {"sweep": "s", "code": "c"},
}


def test_a_sweep_runs_here_unless_it_names_an_engine() -> None:
    assert not SweepSpec().is_shared_out
    assert not SweepSpec(cluster=Cluster(partition="cpu")).is_shared_out
    assert SweepSpec(cluster=Cluster(on="slurm")).is_shared_out


@pytest.mark.parametrize(
    ("nodes", "read"), [(4, 4), (["n1", "user@n2.example"], ("n1", "user@n2.example")), (None, None)]
)
def test_nodes_are_a_number_or_names(nodes: object, read: object) -> None:
    assert Cluster.model_validate({"nodes": nodes}).nodes == read


def test_no_nodes_at_all_are_refused() -> None:
    with pytest.raises(ValidationError, match="should be a number or names; leave it out for all that Slurm offers"):
        Cluster.model_validate({"nodes": []})


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "", "a b", "a;b", "a\nb", "$(x)", "x" * 200])
def test_a_node_is_no_option_and_no_command(name: str) -> None:
    with pytest.raises(ValidationError):
        Cluster.model_validate({"nodes": [name]})


@pytest.mark.parametrize("line", ["--qos=low", "-p cpu", "--begin=now+1hour"])
def test_an_option_of_sbatch_begins_with_a_dash(line: str) -> None:
    assert Cluster.model_validate({"sbatch": [line]}).sbatch == (line,)


@pytest.mark.parametrize("line", ["qos=low", "--a\nrm -rf /", "", "#SBATCH --x"])
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ValidationError):
        Cluster.model_validate({"sbatch": [line]})


@pytest.mark.parametrize(("said", "seconds"), [("90s", 90), ("2h", 7200), (60, 60)])
def test_times_are_durations(said: object, seconds: float) -> None:
    found = Cluster.model_validate({"time": said, "patience": said})
    assert (found.time, found.patience) == (seconds, seconds)


def test_a_request_survives_its_way() -> None:
    spec = ShareSpec.model_validate(SHARE)
    assert ShareSpec.model_validate_json(spec.model_dump_json()) == spec
    assert (spec.name, spec.identity) == ("1-1", Identity(sweep="s", code="c"))


@pytest.mark.parametrize("changes", [{"first": 4}, {"share": 0}, {"attempt": 0}, {"keep": ["A B"]}, {"more": 1}])
def test_a_request_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ShareSpec.model_validate(SHARE | changes)


@pytest.mark.parametrize("name", ["../x.json", "a/b.json", ".x.json", "x.txt", "x.json\n"])
def test_a_closed_block_names_records_alone(name: str) -> None:
    with pytest.raises(ValidationError):
        ClosedBlock.model_validate({"block": 1, "records": {name: "0" * 64}})


@pytest.mark.parametrize("digest", ["", "0" * 63, "G" * 64])
def test_a_hash_has_its_form(digest: str) -> None:
    with pytest.raises(ValidationError):
        ClosedBlock.model_validate({"block": 1, "records": {"x.json": digest}})


def test_a_frame_without_a_name_is_a_sign_of_life() -> None:
    assert Frame() == Frame(name="", sha256="", data="")


def test_an_end_is_one_of_three() -> None:
    assert ShareEnd(how="finished").reason == ""
    with pytest.raises(ValidationError):
        ShareEnd.model_validate({"how": "lost"})
