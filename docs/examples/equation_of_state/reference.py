"""The temperature derivative of the dynamic enthalpy of seawater, in J/(kg K), by the TEOS-10 equation of state."""

import numpy as np

from .formula import compute_derivative


def weights(parameters, rng):
    return {}


def shapes(parameters, batch):
    """Return the shapes of a grid with about n points, and of the pressures of its levels."""
    side = parameters["n"] ** (1 / 3)
    wide, deep = int(np.ceil(np.sqrt(2) * side)), int(np.ceil(0.5 * side))
    return (((wide, wide, deep), (wide, wide, deep), (1, 1, deep)),)


def inputs(parameters, rng, shapes):
    salinity, temperature, pressure = shapes
    return rng.uniform(0.01, 10, salinity), rng.uniform(-12, 20, temperature), rng.uniform(0, 1000, pressure)


def forward(parameters, weights, s, t, p):
    return compute_derivative(s, t, p, np.sqrt, np.log)
