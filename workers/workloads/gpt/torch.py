"""A generative transformer in PyTorch."""

from torch import Tensor, nn
from torch.nn import functional

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        heads = parameters["heads"]
        self.E, self.P = nn.Parameter(weights["E"]), nn.Parameter(weights["P"])
        self.blocks = nn.ModuleList(Block(weights, str(block), heads) for block in range(parameters["layers"]))
        self.norm = Norm(weights["gain"], weights["shift"])

    def forward(self, tokens: Tensor) -> Tensor:
        x = functional.embedding(tokens[:, :-1], self.E) + self.P
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.norm(x), self.E)

    def loss(self, tokens: Tensor) -> Tensor:
        return functional.cross_entropy(self.forward(tokens).flatten(0, 1), tokens[:, 1:].flatten())


class Block(nn.Module):
    def __init__(self, weights: dict[str, Tensor], name: str, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_0 = Norm(weights[f"gain_{name}_0"], weights[f"shift_{name}_0"])
        self.qkv = linear(weights[f"W_{name}_qkv"], weights[f"b_{name}_qkv"])
        self.out = linear(weights[f"W_{name}_o"], weights[f"b_{name}_o"])
        self.norm_1 = Norm(weights[f"gain_{name}_1"], weights[f"shift_{name}_1"])
        self.up = linear(weights[f"W_{name}_1"], weights[f"b_{name}_1"])
        self.down = linear(weights[f"W_{name}_2"], weights[f"b_{name}_2"])

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm_0(x)).unflatten(2, [3, self.heads, -1]).permute(2, 0, 3, 1, 4).unbind(0)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.norm_1(x)), approximate="tanh"))


class Norm(nn.Module):
    def __init__(self, gain: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.gain, self.shift = nn.Parameter(gain), nn.Parameter(shift)
        self.width = len(gain)

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, [self.width], self.gain, self.shift, eps=1e-5)


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer
