"""An autoencoder with tied weights in PyTorch."""

from torch import Tensor, nn
from torch.nn import functional

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.W_0, self.b_0 = nn.Parameter(weights["W_0"]), nn.Parameter(weights["b_0"])
        self.W_1, self.b_1 = nn.Parameter(weights["W_1"]), nn.Parameter(weights["b_1"])
        self.c_1, self.c_0 = nn.Parameter(weights["c_1"]), nn.Parameter(weights["c_0"])

    def forward(self, x: Tensor) -> Tensor:
        z = functional.linear(functional.relu(functional.linear(x, self.W_0, self.b_0)), self.W_1, self.b_1)
        g = functional.relu(functional.linear(z, self.W_1.t(), self.c_1))
        return functional.linear(g, self.W_0.t(), self.c_0)

    def loss(self, x: Tensor) -> Tensor:
        return functional.mse_loss(self.forward(x), x)
