"""The processor's products of 8-bit integers."""

import platform
from pathlib import Path

CPU_FACTS = Path("/proc/cpuinfo")
# Instructions that add products of 8-bit numbers in 32 bits.
EXACT_INSTRUCTIONS = frozenset({"avx_vnni", "avx512_vnni", "amx_int8"})


def has_exact_products() -> bool:
    """Return whether products of 8-bit integers are exact on this processor.

    Without such instructions, AVX2 adds pairs of products in 16 bits, which overflow if weights use all 8 bits. Weights
    of 7 bits cannot overflow, as ONNX Runtime's documentation advises.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    try:
        words = CPU_FACTS.read_text().split()
    except OSError:
        return False
    return bool(EXACT_INSTRUCTIONS & set(words))
