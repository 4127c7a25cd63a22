"""A run as one machine-readable document, which `--json` prints."""

import math
from collections.abc import Sequence
from typing import Any

from orchestrator.analysis.allocation import Allocation
from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.results import Group, MemoryRanking, Result
from orchestrator.analysis.statistics import Interval
from orchestrator.report import breakeven, portability, shapes
from orchestrator.report.words import sentences
from schemas.base import SCHEMA_VERSION
from schemas.record import Manifest


def document(run: str, manifest: Manifest, groups: Sequence[Group]) -> dict[str, Any]:
    """Return all results of a run. What the data do not support is null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "fingerprint": manifest.host.content_hash,
        "manifest": manifest.model_dump(mode="json"),
        "groups": [of_group(group) for group in groups],
    }


def of_group(group: Group) -> dict[str, Any]:
    """Return one group as data."""
    ranks = {standing.cell: standing for standing in group.standings}
    return {
        "title": group.title,
        "referee": group.referee or None,
        "baseline": group.baseline,
        "cells": [
            of_result(result)
            | {
                "rank": [ranks[result.label].best, ranks[result.label].worst],
                "tied_with": list(ranks[result.label].tied_with),
            }
            if result.label in ranks
            else of_result(result) | {"rank": None, "tied_with": []}
            for result in group.results
        ],
        "comparisons": [of_comparison(comparison) for comparison in group.comparisons],
        "clone": None if group.clone is None else of_comparison(group.clone),
        "by_memory": None if group.by_memory is None else of_memory(group.by_memory),
        "sentences": sentences(group),
        **breakeven.document(group),
    }


def of_memory(ranking: MemoryRanking) -> dict[str, Any]:
    """Return a ranking by memory as data; its ratios are of bytes."""
    return {
        "metric": ranking.metric,
        "ranks": {standing.cell: [standing.best, standing.worst] for standing in ranking.standings},
        "ratios": [
            {"baseline": found.baseline, "cell": found.cell, "ratio": of_interval(found.ratio)}
            for found in ranking.comparisons
        ],
    }


def of_result(result: Result) -> dict[str, Any]:
    """Return one cell over its processes as data."""
    return {
        "id": result.cell.id,
        "cell": result.cell.model_dump(mode="json"),
        "jobs": result.jobs,
        "outcome": result.outcome,
        "reason": result.reason,
        "advice": result.advice,
        "floor_ns": of_interval(result.floor_ns),
        "typical_ns": of_interval(result.typical_ns),
        "first_result_ns": of_interval(result.first_ns),
        "loop_overhead_ns": finite(result.overhead_ns),
        "net_floor_ns": finite(result.floor_ns.estimate - result.overhead_ns),
        "second_call_ns": of_interval(result.second_ns),
        "to_steady_ns": of_interval(result.steady_ns),
        "steadiness": result.steadiness,
        "sample_percentiles_ns": dict(result.percentiles_ns),
        "memory_bytes": {metric: of_interval(interval) for metric, interval in result.memory.items()} or None,
        "grade": result.grade,
        "flags": sorted(result.flags),
        "warnings": list(result.warnings),
        "portable": portability.document(result.portable),
        "new_shapes": shapes.document(result.new_shapes),
        "allocation": None if result.allocation is None else of_allocation(result.allocation),
    }


def of_allocation(allocation: Allocation) -> dict[str, float]:
    """Return the samples and processes of one cell as data. Deviations are of logarithms."""
    return {
        "samples": allocation.samples,
        "best_samples": allocation.best,
        "within_sd": allocation.within,
        "between_sd": allocation.between,
        "process_ns": allocation.process_ns,
        "sample_ns": allocation.sample_ns,
    }


def of_comparison(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison of two cells as data."""
    return {
        "baseline": comparison.baseline,
        "cell": comparison.cell,
        "blocks": comparison.blocks,
        "ratio": of_interval(comparison.ratio),
        "typical_ratio": of_interval(comparison.typical_ratio),
        "p": finite(comparison.p),
        "significant": comparison.significant,
        "verdict": str(comparison.verdict),
        "reason": comparison.reason,
    }


def of_interval(interval: Interval) -> dict[str, float | None]:
    """Return an estimate with its ends; an end that the data do not support is null."""
    # Times and sizes are above zero: a low end of zero says that there is none.
    return {"estimate": finite(interval.estimate), "low": finite(interval.low) or None, "high": finite(interval.high)}


def finite(value: float) -> float | None:
    """Return a number for JSON, which has no infinity and no NaN."""
    return value if math.isfinite(value) else None
