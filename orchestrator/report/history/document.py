"""The history of cells as one machine-readable document, which `--json` prints."""

from datetime import datetime
from typing import Any

from orchestrator.analysis.rows import finite_or_none
from orchestrator.comparison.history import CellHistory, History, TypeHistory
from orchestrator.comparison.steps import Point, Step
from orchestrator.report.history.sentences import describe_history, format_version
from orchestrator.report.machine import type_to_dict
from orchestrator.report.values import interval_to_dict
from schemas.base import SCHEMA_VERSION


def build_history_document(history: History, since: datetime | None) -> dict[str, Any]:
    """Return all histories. What the data do not support is null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "since": None if since is None else since.isoformat(),
        "alpha": history.alpha,
        "machines": [type_history_to_dict(each, history.alpha) for each in history.types],
        "skipped": list(history.skipped),
    }


def type_history_to_dict(history: TypeHistory, alpha: float) -> dict[str, Any]:
    """Return the histories of one type of machine as data."""
    return {
        "machine_type": type_to_dict(history.runs[-1].host),
        "runs": [run.name for run in history.runs],
        "level": history.level,
        "cells": [cell_history_to_dict(cell) for cell in history.cells],
        "sentences": describe_history(history, alpha),
    }


def cell_history_to_dict(cell: CellHistory) -> dict[str, Any]:
    """Return one cell as data. `steps` is null if it has too few runs for any to be found."""
    return {
        "label": cell.label,
        "title": cell.title,
        "cell": cell.points[-1].cell.model_dump(mode="json"),
        "points": [point_to_dict(point) for point in cell.points],
        "runs_needed": cell.needed,
        "controls": cell.controls,
        "steps": [step_to_dict(step) for step in cell.steps] if cell.is_searched else None,
    }


def point_to_dict(point: Point) -> dict[str, Any]:
    """Return one cell in one run as data."""
    return {
        "run": point.run.name,
        "began": point.run.began.isoformat(),
        "floor_ns": interval_to_dict(point.floor_ns),
        "version": format_version(point) or None,
        "versions": dict(point.versions),
        "commit": point.commit or None,
        "code": point.cell.code or None,
        "environment": point.cell.environment,
        "fingerprint": point.run.host.content_hash,
    }


def step_to_dict(step: Step) -> dict[str, Any]:
    """Return a step as data: the last run before it, the first one after it, and the ratio of the times."""
    return {
        "before": step.before.run.name,
        "after": step.after.run.name,
        "observed": interval_to_dict(step.observed),
        "ratio": interval_to_dict(step.ratio),
        "p": finite_or_none(step.p),
        "claimed": step.claimed,
        "changed": list(step.changed),
    }
