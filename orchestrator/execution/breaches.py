"""Breaches of a workload's contract: the cells that would all end with the sentence of one of them."""

from orchestrator.registry.frameworks import load_frameworks
from schemas.job import Cell
from schemas.record import JobRecord


def shares_breach(cell: Cell, record: JobRecord) -> bool:
    """Return whether a cell runs the part of a workload that breaks its contract in another cell's record."""
    broken = record.spec.cell
    if describe_run(cell) != describe_run(broken):
        return False
    if record.breach == "reference" or cell.framework == broken.framework:
        return True
    # What a runtime makes of an exported model says nothing about the framework that exported it.
    return not load_frameworks()[broken.framework].exporter and find_implementation(cell) == find_implementation(broken)


def describe_run(cell: Cell) -> tuple[object, ...]:
    """Return what decides what the code of a workload does, beside the framework. It may branch on parameters."""
    return (cell.workload_key, cell.code, cell.task, cell.dtype, cell.parameters)


def find_implementation(cell: Cell) -> str:
    """Return the file of a workload that a cell runs, without its suffix."""
    framework = load_frameworks()[cell.framework]
    return framework.implementation or framework.exporter or framework.name
