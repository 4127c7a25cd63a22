"""Softmax along rows in tinygrad."""

from tinygrad import Tensor

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        self.width = parameters["width"]
        self.b = weights["b"]

    def __call__(self, x: Tensor) -> Tensor:
        return (x + self.b).softmax(axis=-1)

    def loss(self, x: Tensor) -> Tensor:
        return (self.width * self(x)).square().mean(axis=-1).mean()
