"""A recurrent block that is repeated until its halting scores add up to 1, in PyTorch: a while loop in Python."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.maximum = parameters["maximum"]
        self.W_h = nn.Parameter(weights["W_h"])
        self.W_x = nn.Parameter(weights["W_x"])
        self.b = nn.Parameter(weights["b"])
        self.w_p = nn.Parameter(weights["w_p"])
        self.b_p = nn.Parameter(weights["b_p"])

    def forward(self, x: Tensor) -> Tensor:
        driven = F.linear(x, self.W_x, self.b)
        h, mean = torch.zeros_like(driven), torch.zeros_like(driven)
        total, steps = torch.zeros_like(driven[0, 0]), 0
        while bool(total < 1) and steps < self.maximum:
            h = torch.tanh(driven + F.linear(h, self.W_h))
            score = torch.sigmoid(F.linear(h, self.w_p, self.b_p).mean())
            mean = mean + torch.minimum(score, 1 - total) * h
            total, steps = total + score, steps + 1
        return mean

    def loss(self, x: Tensor) -> Tensor:
        return self.forward(x).square().mean()
