"""Rows of a table, gathered by indices and summed into bins, in PyTorch."""

from torch import Tensor, nn
from torch.nn import functional

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.bins, self.width, self.pairs = parameters["bins"], parameters["width"], parameters["pairs"]
        self.table = nn.Parameter(weights["table"])

    def forward(self, pairs: Tensor, bins: Tensor) -> Tensor:
        left, right = functional.embedding(pairs, self.table).unbind(dim=1)
        return self.table.new_zeros(self.bins, self.width).index_add(0, bins, left * right)

    def loss(self, pairs: Tensor, bins: Tensor) -> Tensor:
        return self.forward(pairs, bins).square().sum() / (pairs.shape[0] // self.pairs)
