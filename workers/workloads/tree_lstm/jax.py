"""A Tree-LSTM over binary trees of different shapes, in JAX.

Compiled, it is a scan over the nodes of a tree, whose children are read from an array with room for all nodes. A map
over the trees makes one product of all their products in a step. Outside of jit a list of nodes grows to the root.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax, nn
from jax.core import Tracer

from workers.interfaces import Parameters

# State and cell.
Node = tuple[Array, Array]


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights

    def __call__(self, x: Array, children: Array) -> Array:
        i, g, o = jnp.split(x @ self.weights["W_x"].T + self.weights["b_x"], 3, axis=2)
        c = nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        if isinstance(children, Tracer):
            return jax.vmap(self.root)(h, c, children)
        return jnp.stack([self.listed_root(*tree) for tree in zip(h, c, children.tolist(), strict=True)])

    def node(self, left: Node, right: Node) -> Node:
        (h_l, c_l), (h_r, c_r) = left, right
        gates = self.weights["W_h"] @ jnp.concatenate([h_l, h_r]) + self.weights["b_h"]
        i, f_l, f_r, g, o = jnp.split(gates, 5)
        c = nn.sigmoid(i) * jnp.tanh(g) + nn.sigmoid(f_l) * c_l + nn.sigmoid(f_r) * c_r
        return nn.sigmoid(o) * jnp.tanh(c), c

    def root(self, h: Array, c: Array, pairs: Array) -> Array:
        leaves = len(h)
        room = jnp.zeros_like(h[1:])

        def grow(nodes: Node, turn: tuple[Array, Array]) -> tuple[Node, Array]:
            (h, c), (place, (left, right)) = nodes, turn
            state, cell = self.node((h[left], c[left]), (h[right], c[right]))
            return (h.at[place].set(state), c.at[place].set(cell)), state

        nodes = (jnp.concatenate([h, room]), jnp.concatenate([c, room]))
        _, states = lax.scan(grow, nodes, (jnp.arange(leaves, 2 * leaves - 1), pairs))
        return states[-1]

    def listed_root(self, h: Array, c: Array, pairs: list[list[int]]) -> Array:
        nodes = list(zip(h, c, strict=True))
        for left, right in pairs:
            nodes.append(self.node(nodes[left], nodes[right]))
        return nodes[-1][0]

    def loss(self, x: Array, children: Array) -> Array:
        return jnp.mean(jnp.square(self(x, children)))
