"""One convolution of images in PyTorch, in the memory format channels_last, or with channels first.

Images come as (batch, height, width, channels), and PyTorch's order of axes is a view of them. The kernel has the
reference's axes and is laid out so that PyTorch's order is a view of it too: no call copies it.
"""

from torch import Tensor, channels_last, contiguous_format, nn
from torch.nn import functional

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor], *, channels_first: bool = False) -> None:
        super().__init__()
        # From the order of images to PyTorch's, and back.
        self.order, self.back = ([0, 1, 2, 3], [0, 1, 2, 3]) if channels_first else ([0, 3, 1, 2], [0, 2, 3, 1])
        memory_format = contiguous_format if channels_first else channels_last
        kernel = weights["W"].permute(3, 2, 0, 1).contiguous(memory_format=memory_format)
        self.W = nn.Parameter(kernel.permute(2, 3, 1, 0))

    def forward(self, x: Tensor) -> Tensor:
        output = functional.conv2d(x.permute(self.order), self.W.permute(3, 2, 0, 1), padding=1)
        return output.permute(self.back)

    def loss(self, x: Tensor) -> Tensor:
        return self.forward(x).square().mean()
