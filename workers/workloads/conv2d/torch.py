"""One convolution of images in PyTorch, in the memory format channels_last.

Images come as (batch, height, width, channels), and PyTorch's order of axes is a view of them. The kernel has the
reference's axes and is laid out so that PyTorch's order is a view of it too: no call copies it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        kernel = weights["W"].permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        self.W = nn.Parameter(kernel.permute(2, 3, 1, 0))

    def forward(self, x: Tensor) -> Tensor:
        output = functional.conv2d(x.permute(0, 3, 1, 2), self.W.permute(3, 2, 0, 1), padding=1)
        return output.permute(0, 2, 3, 1)

    def loss(self, x: Tensor) -> Tensor:
        return self.forward(x).square().mean()
