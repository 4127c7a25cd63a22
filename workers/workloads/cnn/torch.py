"""A small convolutional network in PyTorch, in channels_last memory or with channels first."""

from torch import Tensor, channels_last, contiguous_format, memory_format, nn
from torch.nn import functional

from workers.interfaces import Parameters

# The reference's (height, width, before, after) as PyTorch's (after, before, height, width).
KERNEL_AXES = (3, 2, 0, 1)


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor], *, channels_first: bool = False) -> None:
        super().__init__()
        # From the order of images to PyTorch's.
        self.order = [0, 1, 2, 3] if channels_first else [0, 3, 1, 2]
        kept = contiguous_format if channels_first else channels_last
        self.features = nn.Sequential(
            convolution(weights["K_0"], weights["b_0"], kept),
            nn.ReLU(),
            nn.MaxPool2d(2),
            convolution(weights["K_1"], weights["b_1"], kept),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(weights["W"].shape[1], weights["W"].shape[0])
        self.classifier.weight, self.classifier.bias = nn.Parameter(weights["W"]), nn.Parameter(weights["b"])

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        maps = self.features(x.permute(self.order))
        # The weights of the last layer have the reference's order.
        return self.classifier(maps.permute(0, 2, 3, 1).flatten(1))

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(self.forward(x, labels), labels)


def convolution(kernel: Tensor, bias: Tensor, kept: memory_format) -> nn.Conv2d:
    layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1)
    layer.weight = nn.Parameter(kernel.permute(KERNEL_AXES).contiguous(memory_format=kept))
    layer.bias = nn.Parameter(bias)
    return layer
