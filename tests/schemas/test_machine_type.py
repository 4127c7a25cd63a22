from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.machine_type import GIB, identify_type, parse_major, round_memory_gib, split_system
from schemas.record import Host

KNOWN: Mapping[str, object] = {
    "cpu": "AMD EPYC",
    "cores": 2,
    "memory_bytes": round(23.5 * GIB),
    "system": "Linux 6.18.5 x86_64",
    "python": "3.11.7",
    "cpu_flags": ("avx", "avx2", "fma"),
    "logical_cores": 2,
    "l1d_bytes": 32 << 10,
    "l2_bytes": 512 << 10,
    "l3_bytes": 32 << 20,
    "microcode": "0x830107c",
    "hypervisor": "kvm",
}


def build_host(**changes: object) -> Host:
    return Host.model_validate({**KNOWN, **changes})


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "AMD EPYC 7763"},
        {"cpu_flags": ("avx", "avx2", "avx512f", "fma")},
        {"cpu_flags": None},
        {"l1d_bytes": 48 << 10},
        {"l2_bytes": 1 << 20},
        {"l3_bytes": 256 << 20},
        {"microcode": "0xffffffff"},
        {"hypervisor": "xen"},
        {"logical_cores": 4},
        {"system": "Linux 7.0.1 x86_64"},
        {"system": "Linux 6.18.5 aarch64"},
        {"system": "Darwin 6.18.5 x86_64"},
        {"memory_bytes": 48 * GIB},
        {"gpus": ("NVIDIA H100",)},
    ],
    ids=str,
)
def test_machines_of_one_name_that_differ_in_what_times_depend_on_are_of_two_types(change: dict[str, object]) -> None:
    assert identify_type(build_host(**change)) != identify_type(build_host())
    assert identify_type(build_host(**change)).content_hash != identify_type(build_host()).content_hash


@pytest.mark.parametrize(
    "change",
    [
        {"system": "Linux 6.19.0-2-cloud x86_64"},
        {"memory_bytes": round(23.4 * GIB)},
        {"cores": 1, "affinity": (1,)},
        {"python": "3.12.1"},
        {"packages": {"torch": "2.13.0"}},
        {"variables": {"OMP_NUM_THREADS": "1"}},
        {"governor": "performance"},
        {"memory_limit_bytes": GIB, "swap_bytes": 0},
        {"kernel": "6.18.5 #1 SMP"},
    ],
    ids=str,
)
def test_software_and_settings_are_no_part_of_the_type(change: dict[str, object]) -> None:
    assert identify_type(build_host(**change)) == identify_type(build_host())


def test_a_type_is_named_by_what_a_person_knows_of_it_and_by_its_hash() -> None:
    found = identify_type(build_host())
    assert found.label == f"AMD EPYC, 2 cores, 24 GiB, kvm (type {found.content_hash})"
    metal = identify_type(build_host(hypervisor="none", logical_cores=1, gpus=("NVIDIA H100", "NVIDIA H100")))
    assert metal.label.startswith("AMD EPYC, 1 core, 24 GiB, NVIDIA H100, NVIDIA H100, bare metal (type ")
    assert identify_type(build_host(hypervisor=None)).label.startswith("AMD EPYC, 2 cores, 24 GiB (type ")
    assert ", virtual (type " in identify_type(build_host(hypervisor="unknown")).label


def test_a_type_has_the_same_hash_in_every_process_and_version() -> None:
    assert identify_type(build_host()).content_hash == "034c9823"
    bare = Host(cpu="a CPU", cores=2, memory_bytes=GIB, system="Linux", python="3.11.0")
    assert identify_type(bare).content_hash == "2ec5cc04"
    assert identify_type(bare).label == "a CPU, 2 cores, 1 GiB (type 2ec5cc04)"


@pytest.mark.parametrize(
    ("gib", "rounded"),
    [(0.97, 1), (1.9, 2), (3.8, 4), (7.49, 8), (7.51, 8), (11.7, 12), (14.9, 16), (15.1, 16), (23.5, 24), (31.3, 32)],
)
def test_memory_is_named_by_what_is_built_in(gib: float, rounded: float) -> None:
    assert round_memory_gib(round(gib * GIB)) == rounded


@given(st.integers(min_value=1, max_value=1 << 62))
def test_a_rounded_size_is_at_most_a_quarter_larger_and_rounds_to_itself(size_bytes: int) -> None:
    rounded = round_memory_gib(size_bytes)
    assert size_bytes <= rounded * GIB <= size_bytes * 1.25 or rounded * GIB == pytest.approx(size_bytes)
    if rounded * GIB >= 8:
        assert round_memory_gib(round(rounded * GIB)) == rounded


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Linux 6.18.5 x86_64", ("Linux", "6.18.5", "x86_64")),
        ("Windows 11 AMD64", ("Windows", "11", "AMD64")),
        ("Linux", ("Linux", "", "")),
        ("", ("", "", "")),
    ],
)
def test_a_system_is_split_into_name_release_and_architecture(text: str, parts: tuple[str, str, str]) -> None:
    assert split_system(text) == parts


@pytest.mark.parametrize(("release", "major"), [("6.18.5", 6), ("10", 10), ("", None), ("rolling", None), ("²", None)])
def test_the_major_number_of_a_kernel(release: str, major: int | None) -> None:
    assert parse_major(release) == major
