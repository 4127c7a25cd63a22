"""A sweep of model files by the whole program, as a user starts it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

for package in ("onnx", "onnxruntime"):
    pytest.importorskip(package)

from onnx import load, numpy_helper, save  # noqa: E402 (it may be missing)

from tests.workers.models.onnx_graphs import write_network  # noqa: E402 (needs onnx)


@pytest.mark.long
def test_a_file_and_its_sibling_are_measured_without_an_export(tmp_path: Path) -> None:
    model = load(write_network(tmp_path / "net.onnx"))
    weight = model.graph.initializer[0]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).round(2), weight.name))
    save(model, tmp_path / "small.onnx")
    words = (
        "--same-as",
        "net.onnx",
        "--model",
        "small.onnx",
        "--frameworks",
        "onnxruntime:session",
        "--env",
        "current",
    )
    command = [sys.executable, "-m", "orchestrator", "sweep", *words, "--batch", "3", "--blocks", "1", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = tmp_path.joinpath("runs").glob("*-sweep")
    records = [json.loads(path.read_text()) for path in run.joinpath("jobs").glob("*.json")]
    assert {(each["outcome"], each["result"]["verification"]["reason"]) for each in records} == {("measured", "")}
    assert {each["spec"]["artefact"] for each in records} == {None}
    made = {path.suffix for path in run.joinpath("artefacts").iterdir()} - {".json", ".log"}
    assert made == {".npz"}
    (group,) = json.loads(done.stdout)["groups"]
    errors = {each["cell"]["variant"]: each["likeness"]["error"] for each in group["cells"]}
    assert errors["net"] is None
    assert 0 < errors["small"] < 0.1
    # The first two calls of both processes are apart as these results are in double precision, and the largest
    # difference of all inputs is no less. Weights rounded to hundredths show in the third digit.
    (pair,) = group["agreement"]["pairs"]
    assert pair["cells"] == ["onnxruntime:session net", "onnxruntime:session small"]
    assert not pair["agrees"]
    assert 1e-3 < pair["error"] <= errors["small"] * 1.001
