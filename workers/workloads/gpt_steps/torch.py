"""One step of a generative transformer in PyTorch: its cache grows by concatenation."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.interfaces import Parameters
from workers.workloads.gpt.torch import Block, Norm


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        heads = parameters["heads"]
        self.E, self.P = nn.Parameter(weights["E"]), nn.Parameter(weights["P"])
        self.blocks = nn.ModuleList(CachingBlock(weights, str(block), heads) for block in range(parameters["layers"]))
        self.norm = Norm(weights["gain"], weights["shift"])

    def forward(self, tokens: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        known, new = keys.size(3), tokens.size(1)
        places = torch.arange(known + new, device=tokens.device)
        is_seen = places <= places[known:].unsqueeze(1)
        x = functional.embedding(tokens, self.E) + self.P[known : known + new]
        made_keys: list[Tensor] = []
        made_values: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            x, longer_keys, longer_values = block(x, keys[number], values[number], is_seen)
            made_keys.append(longer_keys)
            made_values.append(longer_values)
        scores = functional.linear(self.norm(x[:, -1]), self.E)
        return scores, scores.argmax(dim=1, keepdim=True), torch.stack(made_keys), torch.stack(made_values)


class CachingBlock(Block):
    def forward(  # type: ignore[override]
        self, x: Tensor, keys: Tensor, values: Tensor, is_seen: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.qkv(self.norm_0(x)).unflatten(2, [3, self.heads, -1]).permute(2, 0, 3, 1, 4).unbind(0)
        keys, values = torch.cat([keys, k], dim=2), torch.cat([values, v], dim=2)
        seen = functional.scaled_dot_product_attention(q, keys, values, is_seen)
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.norm_1(x)), approximate="tanh")), keys, values
