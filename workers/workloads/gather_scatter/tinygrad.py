"""Rows of a table, gathered by indices and summed into bins, in tinygrad."""

from tinygrad import Tensor

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        self.bins, self.pairs = parameters["bins"], parameters["pairs"]
        self.table = weights["table"]

    def __call__(self, pairs: Tensor, bins: Tensor) -> Tensor:
        product = self.table[pairs[:, 0]] * self.table[pairs[:, 1]]
        places = bins.reshape(-1, 1).expand(*product.shape)
        sums = Tensor.zeros(self.bins, product.shape[1], dtype=product.dtype)
        return sums.scatter_reduce(0, places, product, reduce="sum")

    def loss(self, pairs: Tensor, bins: Tensor) -> Tensor:
        return self(pairs, bins).square().sum(axis=-1).sum() / (pairs.shape[0] // self.pairs)
