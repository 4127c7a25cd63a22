"""A Tree-LSTM over binary trees of different shapes, in PyTorch: a list of nodes that grows to the root.

The children of a node are numbers in Python, by which the loop finds their states in the list.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.W_x = nn.Parameter(weights["W_x"])
        self.b_x = nn.Parameter(weights["b_x"])
        self.W_h = nn.Parameter(weights["W_h"])
        self.b_h = nn.Parameter(weights["b_h"])

    def forward(self, x: Tensor, children: Tensor) -> Tensor:
        i, g, o = F.linear(x, self.W_x, self.b_x).chunk(3, dim=2)
        c = torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        trees: list[list[list[int]]] = children.tolist()
        roots = [self.root(list(h[tree].unbind()), list(c[tree].unbind()), pairs) for tree, pairs in enumerate(trees)]
        return torch.stack(roots)

    def root(self, h: list[Tensor], c: list[Tensor], pairs: list[list[int]]) -> Tensor:
        for pair in pairs:
            left, right = pair[0], pair[1]
            gates = F.linear(torch.cat([h[left], h[right]]), self.W_h, self.b_h)
            i, f_l, f_r, g, o = gates.chunk(5)
            c.append(torch.sigmoid(i) * torch.tanh(g) + torch.sigmoid(f_l) * c[left] + torch.sigmoid(f_r) * c[right])
            h.append(torch.sigmoid(o) * torch.tanh(c[-1]))
        return h[-1]

    def loss(self, x: Tensor, children: Tensor) -> Tensor:
        return self.forward(x, children).square().mean()
