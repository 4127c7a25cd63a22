"""Benchmark loops as an expert would write them by hand, one for each mode: `python handwritten.py torch:script`.

The script prints the fastest of 20 samples of about 10 ms, in nanoseconds per call. It runs rnn_cell backward with
batch 1, hidden 20, input 10, float32 and one thread. It shares no code with the tool.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

framework, mode = sys.argv[1].split(":")
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}


def of_torch() -> Callable[[], Any]:
    """Return a step of PyTorch: a module, a loss, a backward pass."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)

    class Cell(torch.nn.Module):  # type: ignore[misc]  # torch is not analysed here
        def __init__(self) -> None:
            super().__init__()
            self.W_h = torch.nn.Parameter(torch.randn(20, 20))
            self.W_x = torch.nn.Parameter(torch.randn(20, 10))

        def forward(self, x: torch.Tensor, prev_h: torch.Tensor) -> torch.Tensor:
            h2h = torch.mm(self.W_h, prev_h.t())
            i2h = torch.mm(self.W_x, x.t())
            return torch.tanh(h2h + i2h).sum()

    x, prev_h, cell = torch.randn(1, 10), torch.randn(1, 20), Cell()
    W_h, W_x = cell.W_h, cell.W_x
    call: Any = {
        "eager": lambda: cell,
        "script": lambda: torch.jit.script(cell),
        "trace": lambda: torch.jit.trace(cell, (x, prev_h)),
    }[mode]()  # type: ignore[no-untyped-call]

    def step() -> Any:
        W_h.grad = W_x.grad = None
        loss = call(x, prev_h)
        loss.backward()
        return loss

    return step


def of_tensorflow() -> Callable[[], Any]:
    """Return a step of TensorFlow: a module, a loss, a tape."""
    import tensorflow as tf

    class Cell(tf.Module):  # type: ignore[misc]  # tensorflow is not analysed here
        def __init__(self) -> None:
            super().__init__()
            self.W_h, self.W_x = tf.Variable(tf.random.normal((20, 20))), tf.Variable(tf.random.normal((20, 10)))

        def __call__(self, x: Any, prev_h: Any) -> Any:
            h2h = tf.matmul(self.W_h, prev_h, transpose_b=True)
            i2h = tf.matmul(self.W_x, x, transpose_b=True)
            return tf.reduce_sum(tf.tanh(h2h + i2h))

    x, prev_h, cell = tf.random.normal((1, 10)), tf.random.normal((1, 20)), Cell()
    weights = [cell.W_h, cell.W_x]

    def step(x: Any, prev_h: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = cell(x, prev_h)
        return loss, tape.gradient(loss, weights)

    call = tf.function(step) if mode == "function" else step
    return lambda: call(x, prev_h)


def main() -> None:
    """Warm up for half a second, then take samples and print the fastest."""
    step = {"torch": of_torch, "tensorflow": of_tensorflow}[framework]()
    calls, start = 0, time.perf_counter_ns()
    while time.perf_counter_ns() - start < 5e8:
        step()
        calls += 1
    calls = max(1, calls // 50)
    samples = []
    for _ in range(20):
        start = time.perf_counter_ns()
        for _ in range(calls):
            step()
        samples.append((time.perf_counter_ns() - start) / calls)
    print(min(samples))


if __name__ == "__main__":
    main()
