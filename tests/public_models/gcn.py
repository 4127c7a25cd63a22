"""A graph convolution network of PyTorch Geometric."""

import torch
from torch_geometric.nn import GCN


def build() -> torch.nn.Module:
    return GCN(in_channels=16, hidden_channels=32, num_layers=2, out_channels=4)


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(50, 16), torch.randint(0, 50, (2, 200))
