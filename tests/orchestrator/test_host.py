from pathlib import Path

from orchestrator import host


def test_this_machine_has_a_fingerprint() -> None:
    found = host.fingerprint()
    assert found.cpu
    assert found.cores == len(host.cores())
    assert found.memory_bytes > 1 << 20


def test_secrets_among_the_variables_are_not_recorded() -> None:
    found = host.fingerprint({"OMP_NUM_THREADS": "1", "TOKEN": "secret", "AWS_SECRET_ACCESS_KEY": "secret"})
    assert found.variables == {"OMP_NUM_THREADS": "1"}


def test_the_cpu_is_called_what_it_calls_itself(tmp_path: Path) -> None:
    source = tmp_path / "cpuinfo"
    source.write_text("processor : 0\nmodel name\t: A Fast CPU @ 3 GHz\nmodel name\t: Another\n")
    assert host.cpu_model(source) == "A Fast CPU @ 3 GHz"


def test_a_machine_without_cpuinfo_has_a_name_all_the_same(tmp_path: Path) -> None:
    assert host.cpu_model(tmp_path / "nothing")


def test_a_parent_that_would_be_left_without_a_core_stays_where_it_is() -> None:
    before = host.cores()
    host.step_aside(set(before))
    assert host.cores() == before
