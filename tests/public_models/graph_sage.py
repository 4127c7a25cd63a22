"""A network of sampled neighbours of PyTorch Geometric."""

import torch
from torch_geometric.nn import GraphSAGE


def build() -> torch.nn.Module:
    return GraphSAGE(in_channels=16, hidden_channels=32, num_layers=2, out_channels=4)


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(50, 16), torch.randint(0, 50, (2, 200))
