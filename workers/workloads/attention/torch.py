"""One layer of self-attention in PyTorch."""

from torch import Tensor, nn
from torch.nn import functional

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.heads = parameters["heads"]
        self.W, self.b = nn.Parameter(weights["W"]), nn.Parameter(weights["b"])

    def forward(self, x: Tensor) -> Tensor:
        each = functional.linear(x, self.W, self.b).unflatten(2, [3, self.heads, -1])
        q, k, v = each.permute(2, 0, 3, 1, 4).unbind(0)
        return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    def loss(self, x: Tensor) -> Tensor:
        return self.forward(x).square().mean()
