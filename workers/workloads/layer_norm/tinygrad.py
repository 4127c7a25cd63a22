"""Layer normalisation along rows in tinygrad."""

from tinygrad import Tensor

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        self.gain, self.shift = weights["gain"], weights["shift"]

    def __call__(self, x: Tensor) -> Tensor:
        return x.layernorm(axis=-1, eps=1e-5) * self.gain + self.shift

    def loss(self, x: Tensor) -> Tensor:
        return self(x).square().sum(axis=-1).mean()
