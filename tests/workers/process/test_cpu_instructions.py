"""Products of 8-bit integers are known to be exact only by the instructions of the processor."""

from pathlib import Path

import pytest

from workers.process import cpu_instructions


@pytest.mark.parametrize(
    ("machine", "facts", "exact"),
    [
        ("x86_64", "flags : fpu avx2 f16c", False),
        ("x86_64", "flags : fpu avx2 avx512_vnni", True),
        ("AMD64", "flags : fpu avx2 avx_vnni", True),
        ("x86_64", "model name : avx512_vnnix", False),
        ("aarch64", "Features : fp asimd", True),
    ],
)
def test_only_instructions_that_add_in_32_bits_are_exact(
    machine: str, facts: str, exact: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(facts)
    monkeypatch.setattr(cpu_instructions, "CPU_FACTS", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert cpu_instructions.has_exact_products() is exact


def test_a_processor_that_says_nothing_is_taken_to_overflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_instructions, "CPU_FACTS", tmp_path / "missing")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert not cpu_instructions.has_exact_products()
