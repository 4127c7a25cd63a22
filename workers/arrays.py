"""The type of an array in the hands of the harness. Importing this imports NumPy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
