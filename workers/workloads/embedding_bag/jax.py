"""A recommendation network in JAX: rows are gathered and added up, and one batched product covers all pairs."""

import jax.numpy as jnp
import numpy as np
from jax import Array, nn

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights, self.tables = weights, parameters["tables"]
        self.one, self.other = np.triu_indices(1 + self.tables, 1)

    def __call__(self, dense: Array, indices: Array, labels: Array) -> Array:
        w = self.weights
        first = nn.relu(dense @ w["W_d"].T + w["b_d"])
        bags = [jnp.sum(w[f"E_{table}"][indices[:, table]], axis=1) for table in range(self.tables)]
        stacked = jnp.stack([first, *bags], axis=1)
        products = (stacked @ stacked.swapaxes(1, 2))[:, self.one, self.other]
        above = nn.relu(jnp.concatenate([first, products], axis=1) @ w["W_1"].T + w["b_1"])
        return (above @ w["W_2"].T + w["b_2"])[:, 0]

    def loss(self, dense: Array, indices: Array, labels: Array) -> Array:
        logits = self(dense, indices, labels)
        return jnp.mean(nn.softplus(logits) - labels * logits)
