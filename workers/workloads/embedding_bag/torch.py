"""A recommendation network in PyTorch: embedding_bag adds the rows up, and one batched product covers all pairs."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        tables = parameters["tables"]
        self.tables = nn.ParameterList(nn.Parameter(weights[f"E_{table}"]) for table in range(tables))
        self.below = linear(weights["W_d"], weights["b_d"])
        self.above = nn.Sequential(
            linear(weights["W_1"], weights["b_1"]), nn.ReLU(), linear(weights["W_2"], weights["b_2"])
        )
        self.one, self.other = torch.triu_indices(1 + tables, 1 + tables, offset=1, device=weights["W_d"].device)

    def forward(self, dense: Tensor, indices: Tensor, labels: Tensor) -> Tensor:
        first = functional.relu(self.below(dense))
        vectors = [first]
        for number, table in enumerate(self.tables):
            vectors.append(functional.embedding_bag(indices[:, number], table, mode="sum"))
        stacked = torch.stack(vectors, dim=1)
        products = torch.bmm(stacked, stacked.transpose(1, 2))[:, self.one, self.other]
        return self.above(torch.cat([first, products], dim=1)).squeeze(1)

    def loss(self, dense: Tensor, indices: Tensor, labels: Tensor) -> Tensor:
        logits = self.forward(dense, indices, labels)
        return functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer
