"""A plain static network in PyTorch."""

from torch import Tensor, nn

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for layer in range(len(weights) // 2):
            layers += [linear(weights[f"W_{layer}"], weights[f"b_{layer}"]), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)

    def loss(self, x: Tensor) -> Tensor:
        return self.forward(x).square().mean()


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer
