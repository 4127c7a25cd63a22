"""A run as one machine-readable document, which `--json` prints."""

from typing import Any

from orchestrator.analysis.results import Group, MemoryRanking, Result
from orchestrator.analysis.rows import finite_or_none
from orchestrator.analysis.run import Run
from orchestrator.analysis.standings import Standing
from orchestrator.report import axis
from orchestrator.report.alarms import list_alarms
from orchestrator.report.machine import type_to_dict
from orchestrator.report.nodes.document import nodes_to_dict
from orchestrator.report.nodes.sentences import describe_next_sweep
from orchestrator.report.nodes.types import describe_run_turnarounds
from orchestrator.report.sections import (
    accuracy,
    agreement,
    breakeven,
    generation,
    growth,
    new_shapes,
    price,
    saved_models,
    throughput,
)
from orchestrator.report.sentences import describe_group
from orchestrator.report.summary import summarise_groups
from orchestrator.report.values import comparison_to_dict, interval_to_dict
from schemas.base import SCHEMA_VERSION


def build_run_document(run: Run) -> dict[str, Any]:
    """Return all results of a run. What the data do not support is null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run.name,
        "machine_type": type_to_dict(run.manifest.host),
        "fingerprint": run.manifest.host.content_hash,
        "skipped": list(run.skipped),
        "answer": [*list_alarms(run.groups), *(axis.summarise_axis(run.axis_tables) or summarise_groups(run.groups))],
        "manifest": run.manifest.model_dump(mode="json"),
        "groups": [group_to_dict(group) for group in run.groups],
        "compared_by": axis.axis_to_dict(run.axis_tables),
        "prices": price.prices_to_list(run),
        "next_sweep": describe_next_sweep(run),
        "other_types": [
            {
                "machine_type": type_to_dict(other.manifest.host),
                "groups": [group_to_dict(group) for group in other.groups],
            }
            for other in run.others
        ],
        "turnarounds": describe_run_turnarounds(run),
    }


def group_to_dict(group: Group) -> dict[str, Any]:
    """Return one group as data."""
    ranks = {standing.cell: standing for standing in group.standings}
    return {
        "title": group.title,
        "referee": group.referee or None,
        "baseline": group.baseline,
        "cells": [result_to_dict(result) | standing_to_dict(ranks.get(result.label)) for result in group.results],
        "comparisons": [comparison_to_dict(comparison) for comparison in group.comparisons],
        "all_pairs": [comparison_to_dict(comparison) for comparison in group.all_pairs],
        "clone": None if group.clone is None else comparison_to_dict(group.clone),
        "by_memory": None if group.by_memory is None else memory_ranking_to_dict(group.by_memory),
        "agreement": agreement.agreement_to_dict(group),
        "over_nodes": None if group.over_nodes is None else nodes_to_dict(group.over_nodes),
        "sentences": describe_group(group),
        **breakeven.break_evens_to_dict(group),
    }


def standing_to_dict(standing: Standing | None) -> dict[str, Any]:
    """Return the rank of a cell and its ties as data."""
    if standing is None:
        return {"rank": None, "tied_with": []}
    return {"rank": [standing.best, standing.worst], "tied_with": list(standing.tied_with)}


def memory_ranking_to_dict(ranking: MemoryRanking) -> dict[str, Any]:
    """Return a ranking by memory as data; its ratios are of bytes."""
    return {
        "metric": ranking.metric,
        "ranks": {standing.cell: [standing.best, standing.worst] for standing in ranking.standings},
        "ratios": [
            {"baseline": found.baseline, "cell": found.cell, "ratio": interval_to_dict(found.ratio)}
            for found in ranking.comparisons
        ],
    }


def result_to_dict(result: Result) -> dict[str, Any]:
    """Return one cell over its processes as data."""
    return {
        "id": result.cell.id,
        "cell": result.cell.model_dump(mode="json"),
        "jobs": result.jobs,
        "outcome": result.outcome,
        "reason": result.reason,
        "advice": result.advice,
        "floor_ns": interval_to_dict(result.floor_ns),
        "typical_ns": interval_to_dict(result.typical_ns),
        "first_result_ns": interval_to_dict(result.first_ns),
        "loop_overhead_ns": finite_or_none(result.overhead_ns),
        "net_floor_ns": finite_or_none(result.floor_ns.estimate - result.overhead_ns),
        "second_call_ns": interval_to_dict(result.second_ns),
        "to_steady_ns": interval_to_dict(result.steady_ns),
        "steadiness": result.steadiness,
        "latency_ns": {name: interval_to_dict(interval) for name, interval in result.latency_ns.items()} or None,
        "memory_bytes": {metric: interval_to_dict(interval) for metric, interval in result.memory.items()} or None,
        "accuracy": accuracy.accuracy_to_dict(result.accuracy),
        "generation": generation.generation_to_dict(result),
        "throughput": throughput.throughput_to_list(result.throughput),
        "growth_bytes_per_call": growth.growth_to_dict(result.growth),
        "grade": result.grade,
        "flags": sorted(result.flags),
        "bounded_by_cpu_time": result.bounded_by_cpu_time,
        "likeness": result.likeness.model_dump(),
        "warnings": list(result.warnings),
        "portable": saved_models.portable_to_dict(result.portable),
        "new_shapes": new_shapes.new_shapes_to_dict(result.new_shapes),
        # A reader of earlier documents may look for it. Its advice on the number of samples is gone.
        "allocation": None,
    }
