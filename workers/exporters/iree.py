"""Compile StableHLO to a module of IREE for the CPU of this machine."""

import re
from pathlib import Path

from iree import compiler

from workers.errors import Unsupported

REASON = re.compile(r"error: (.+)")


def convert(source: Path, path: Path) -> None:
    """Compile the StableHLO file `source` and save the module at `path`.

    Raises:
        Unsupported: IREE does not compile this program.
    """
    try:
        compiler.compile_file(
            str(source),
            target_backends=["llvm-cpu"],
            input_type="stablehlo",
            output_file=str(path),
            extra_args=["--iree-llvmcpu-target-cpu=host"],
        )
    except compiler.CompilerToolError as error:
        found = REASON.search(str(error))
        raise Unsupported(f"IREE does not compile it: {(found[1] if found else str(error))[:300]}") from error
