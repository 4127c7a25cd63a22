"""Estimates, intervals and tests: arrays of numbers in, values out.

Nothing here assumes a normal law. The intervals are exact for differences that are symmetric about one
centre, which differences of exchangeable process effects are; that centre is what is estimated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, betaincinv

type_of_floats = npt.NDArray[np.float64]

LOOKS: Final = (8, 12, 16, 20, 24, 32)
"""Numbers of blocks after which a sweep may stop; the last one ends it."""

ALPHA: Final = 0.04
"""Level of each look: five per cent less what looking more than once costs."""

TAIL_CONFIDENCE: Final = 0.99
"""Confidence of MLPerf's early stopping, which decides how many samples a tail percentile needs."""
