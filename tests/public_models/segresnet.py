"""Another network for medical images of MONAI."""

import torch
from monai.networks.nets import SegResNet


def build() -> torch.nn.Module:
    return SegResNet(spatial_dims=2, init_filters=8, blocks_down=(1, 1), blocks_up=(1,))


def inputs(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 1, 32, 32)
