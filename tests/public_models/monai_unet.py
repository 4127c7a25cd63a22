"""A network for medical images of MONAI."""

import torch
from monai.networks.nets import UNet


def build() -> torch.nn.Module:
    return UNet(spatial_dims=2, in_channels=1, out_channels=2, channels=(8, 16, 32), strides=(2, 2), num_res_units=1)


def inputs(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 1, 32, 32)
