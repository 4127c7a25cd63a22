"""A bidirectional LSTM that tags the tokens of sequences of varying length, in PyTorch.

The sequences are packed, and PyTorch's LSTM runs over their real tokens alone, in both directions. The module `nn.LSTM`
has two biases for each gate where one suffices. The model therefore calls the function behind it, with zeros for the
second.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from workers.interfaces import Parameters


class Model(nn.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.hidden = parameters["hidden"]
        self.E = nn.Parameter(weights["E"])
        self.W_x_ahead = nn.Parameter(weights["W_x_ahead"])
        self.W_h_ahead = nn.Parameter(weights["W_h_ahead"])
        self.b_ahead = nn.Parameter(weights["b_ahead"])
        self.W_x_back = nn.Parameter(weights["W_x_back"])
        self.W_h_back = nn.Parameter(weights["W_h_back"])
        self.b_back = nn.Parameter(weights["b_back"])
        self.W_o = nn.Parameter(weights["W_o"])
        self.b_o = nn.Parameter(weights["b_o"])
        self.none = torch.zeros_like(weights["b_ahead"])

    def forward(self, tokens: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        x = pack_padded_sequence(F.embedding(tokens, self.E), lengths, enforce_sorted=False)
        zeros = torch.zeros(2, tokens.shape[1], self.hidden, dtype=self.E.dtype)
        known = [
            self.W_x_ahead,
            self.W_h_ahead,
            self.b_ahead,
            self.none,
            self.W_x_back,
            self.W_h_back,
            self.b_back,
            self.none,
        ]
        states, _, _ = torch.lstm(
            x.data,
            x.batch_sizes,
            [zeros, zeros],
            known,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=True,
        )
        packed = PackedSequence(states, x.batch_sizes, x.sorted_indices, x.unsorted_indices)
        both, _ = pad_packed_sequence(packed, total_length=tokens.shape[0])
        return F.linear(both, self.W_o, self.b_o)

    def loss(self, tokens: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        real = torch.arange(tokens.shape[0]).unsqueeze(1) < lengths
        due = tags.masked_fill(~real, -100)
        return F.cross_entropy(self.forward(tokens, lengths, tags).flatten(0, 1), due.flatten(), ignore_index=-100)
