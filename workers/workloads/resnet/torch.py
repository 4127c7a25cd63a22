"""A residual network in PyTorch, in channels_last memory or with channels first."""

from itertools import product

from torch import Tensor, channels_last, contiguous_format, memory_format, nn
from torch.nn import functional

from workers.interfaces import Parameters

# The reference's (height, width, before, after) as PyTorch's (after, before, height, width).
KERNEL_AXES = (3, 2, 0, 1)


class Model(nn.Module):
    """A residual network. `statistics` is `running`, `batch`, or `moving`: the batch's, which move the running ones."""

    def __init__(self, parameters: Parameters, weights: dict[str, Tensor], *, channels_first: bool = False) -> None:
        super().__init__()
        # From the order of images to PyTorch's.
        self.order = [0, 1, 2, 3] if channels_first else [0, 3, 1, 2]
        kept = contiguous_format if channels_first else channels_last
        self.stem = Unit(weights, "stem", 2 if parameters["large_stem"] else 1, kept)
        self.pool = nn.MaxPool2d(3, 2, 1) if parameters["large_stem"] else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(weights, f"{stage}_{block}", 2 if stage and not block else 1, kept)
            for stage, block in product(range(4), range(parameters["blocks"]))
        )
        self.classifier = nn.Linear(weights["W"].shape[1], weights["W"].shape[0])
        self.classifier.weight, self.classifier.bias = nn.Parameter(weights["W"]), nn.Parameter(weights["b"])

    def network(self, x: Tensor, statistics: str) -> Tensor:
        x = self.pool(functional.relu(self.stem(x.permute(self.order), statistics)))
        for block in self.blocks:
            x = block(x, statistics)
        return self.classifier(x.mean((2, 3)))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.network(x, "running")

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(self.network(x, "batch"), labels)

    def training_loss(self, x: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(self.network(x, "moving"), labels)


class Block(nn.Module):
    def __init__(self, weights: dict[str, Tensor], name: str, stride: int, kept: memory_format) -> None:
        super().__init__()
        has_unit = f"K_{name}_shortcut" in weights
        self.first = Unit(weights, f"{name}_1", stride, kept)
        self.second = Unit(weights, f"{name}_2", 1, kept)
        self.shortcut = Unit(weights, f"{name}_shortcut", stride, kept) if has_unit else None

    def forward(self, x: Tensor, statistics: str) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x, statistics)
        inner = functional.relu(self.first(x, statistics))
        return functional.relu(self.second(inner, statistics) + shortcut)


class Unit(nn.Module):
    """A convolution and a batch normalisation."""

    def __init__(self, weights: dict[str, Tensor], name: str, stride: int, kept: memory_format) -> None:
        super().__init__()
        kernel = weights[f"K_{name}"].permute(KERNEL_AXES)
        self.kernel = nn.Parameter(kernel.contiguous(memory_format=kept))
        self.stride, self.padding = stride, kernel.shape[2] // 2
        self.gain, self.shift = nn.Parameter(weights[f"gain_{name}"]), nn.Parameter(weights[f"shift_{name}"])
        self.register_buffer("mean", weights[f"running_mean_{name}"])
        self.register_buffer("variance", weights[f"running_variance_{name}"])

    def forward(self, x: Tensor, statistics: str) -> Tensor:
        x = functional.conv2d(x, self.kernel, None, self.stride, self.padding)
        if statistics == "batch":
            return functional.batch_norm(x, None, None, self.gain, self.shift, True, 0.1, 1e-5)
        moving = statistics == "moving"
        return functional.batch_norm(x, self.mean, self.variance, self.gain, self.shift, moving, 0.1, 1e-5)
