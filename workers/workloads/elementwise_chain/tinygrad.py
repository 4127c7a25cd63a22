"""A chain of elementwise operations in tinygrad."""

from tinygrad import Tensor

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        self.scale, self.shift = weights["scale"], weights["shift"]

    def __call__(self, x: Tensor) -> Tensor:
        for link in range(self.scale.shape[0]):
            u = self.scale[link] * x + self.shift[link]
            v = u / (1 + (-u).exp())
            c = v.clamp(-1, 1)
            x = 1.5 * c - 0.5 * c * c * c
        return x

    def loss(self, x: Tensor) -> Tensor:
        return self(x).square().mean(axis=-1).mean()
