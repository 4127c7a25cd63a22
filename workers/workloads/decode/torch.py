"""A decoder that generates one token at a time, in PyTorch: its cache grows by concatenation."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workers.interfaces import Parameters


class Decoder(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.steps = parameters["steps"]
        self.E = nn.Parameter(weights["E"])
        self.W_q = nn.Parameter(weights["W_q"])
        self.W_k = nn.Parameter(weights["W_k"])
        self.W_v = nn.Parameter(weights["W_v"])
        self.W_o = nn.Parameter(weights["W_o"])
        self.U = nn.Parameter(weights["U"])


class Model(Decoder):
    def forward(self, prompt: Tensor) -> Tensor:
        x, token = F.embedding(prompt[:, :-1], self.E), prompt[:, -1:]
        keys, values = F.linear(x, self.W_k), F.linear(x, self.W_v)
        made: list[Tensor] = []
        for _ in range(self.steps):
            x = F.embedding(token, self.E)
            keys = torch.cat([keys, F.linear(x, self.W_k)], dim=1)
            values = torch.cat([values, F.linear(x, self.W_v)], dim=1)
            seen = F.scaled_dot_product_attention(F.linear(x, self.W_q), keys, values)
            scores = F.linear(x + F.linear(seen, self.W_o), self.U)
            token = scores.argmax(dim=2)
            made.append(scores.squeeze(1))
        return torch.stack(made)

    def loss(self, prompt: Tensor) -> Tensor:
        scores = self.forward(prompt)
        return (scores.logsumexp(dim=2) - scores.amax(dim=2)).mean()
