"""Convert an ONNX file to OpenVINO IR: a graph file and a weights file in one archive."""

import tarfile
import tempfile
from pathlib import Path

import openvino


def convert(source: Path, path: Path) -> None:
    """Convert the ONNX file `source` and save it at `path`, in its original precision."""
    # By default save_model compresses weights to float16, which would change the results.
    with tempfile.TemporaryDirectory() as folder, tarfile.open(path, "w") as packed:
        openvino.save_model(openvino.Core().read_model(source), Path(folder, "model.xml"), compress_to_fp16=False)
        for name in ("model.xml", "model.bin"):
            packed.add(Path(folder, name), name)
