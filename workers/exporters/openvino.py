"""An ONNX file as OpenVINO's own: the graph and its weights, which are two files, in one archive."""

import tarfile
import tempfile
from pathlib import Path

import openvino


def convert(source: Path, path: Path) -> None:
    """Read the ONNX file and save it in OpenVINO's form, in the precision that it has."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(path, "w") as packed:
        openvino.save_model(openvino.Core().read_model(source), Path(folder, "model.xml"), compress_to_fp16=False)
        for name in ("model.xml", "model.bin"):
            packed.add(Path(folder, name), name)
