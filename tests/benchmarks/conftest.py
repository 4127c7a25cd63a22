"""Fixtures that tests of benchmarks share with those of the orchestrator."""

from tests.orchestrator.conftest import make_cell, make_record, make_records, make_run

__all__ = ["make_cell", "make_record", "make_records", "make_run"]
