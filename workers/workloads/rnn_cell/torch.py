"""One step of a recurrent network in PyTorch."""

import torch
from torch import Tensor, nn

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.W_h = nn.Parameter(weights["W_h"])
        self.W_x = nn.Parameter(weights["W_x"])

    def forward(self, x: Tensor, prev_h: Tensor) -> Tensor:
        h2h = torch.mm(self.W_h, prev_h.t())
        i2h = torch.mm(self.W_x, x.t())
        return torch.tanh(h2h + i2h)

    def loss(self, x: Tensor, prev_h: Tensor) -> Tensor:
        return self.forward(x, prev_h).sum()
