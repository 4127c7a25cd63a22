"""An LSTM language model in PyTorch.

The module `nn.LSTM` has two biases for each gate where one suffices. The model therefore calls the function behind it,
with zeros for the second.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.hidden = parameters["hidden"]
        self.E = nn.Parameter(weights["E"])
        self.W_x = nn.Parameter(weights["W_x"])
        self.W_h = nn.Parameter(weights["W_h"])
        self.b = nn.Parameter(weights["b"])
        self.W_o = nn.Parameter(weights["W_o"])
        self.b_o = nn.Parameter(weights["b_o"])
        self.none = torch.zeros_like(weights["b"])

    def forward(self, tokens: Tensor) -> Tensor:
        x = functional.embedding(tokens[:-1], self.E)
        zeros = x.new_zeros(1, x.shape[1], self.hidden)
        states, _, _ = torch.lstm(
            x,
            [zeros, zeros],
            [self.W_x, self.W_h, self.b, self.none],
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=False,
        )
        return functional.linear(states, self.W_o, self.b_o)

    def loss(self, tokens: Tensor) -> Tensor:
        return functional.cross_entropy(self.forward(tokens).flatten(0, 1), tokens[1:].flatten())
