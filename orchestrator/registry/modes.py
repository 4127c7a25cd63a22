"""The catalog's entry for the mode of a cell."""

from orchestrator.registry.frameworks import load_frameworks
from schemas import catalog
from schemas.job import Cell


def find_mode(cell: Cell) -> catalog.Mode:
    """Return the catalog's entry of a cell's mode."""
    return next(mode for mode in load_frameworks()[cell.framework].modes if mode.name == cell.mode)
