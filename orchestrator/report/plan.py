"""A plan on the terminal and as JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.environments.definitions import EnvironmentDefinitions
from orchestrator.format import format_clock, to_printable
from orchestrator.planning.axis import describe_compared_axis
from orchestrator.planning.needs import describe_needs, find_needs
from orchestrator.planning.plan import Plan
from orchestrator.planning.shares import ShareLayout
from orchestrator.records.labels import format_title
from orchestrator.report import environments
from orchestrator.report.tables import make_table
from schemas.model_files import get_kind
from schemas.models import ModelSource
from schemas.workloads import Workload


def build_plan_document(plan: Plan, known: Mapping[str, float], layout: ShareLayout | None = None) -> dict[str, Any]:
    """Return the cells of a sweep, the expected duration of each job, and the number of blocks that fit.

    With a layout, blocks are shared out among machines.
    """
    stop = plan.spec.stop
    block = plan.estimate_block_s(known)
    # Not even one may fit: then a sweep measures those cells of its first block that do.
    blocks = min(stop.blocks, int(stop.budget / block)) if layout is None else layout.blocks
    needs = find_needs(plan, known)
    return {
        "sweep": plan.spec.model_dump(mode="json"),
        "cells": [
            {
                "id": cell.id,
                "cell": cell.model_dump(mode="json"),
                "unsupported": plan.refused.get(cell.id),
                "job_s": None if cell.id in plan.refused else plan.estimate_job_s(cell, known),
            }
            for cell in plan.cells
        ],
        "environments": [
            environments.environment_to_dict(each)
            for each in plan.environments.find_for_cells(plan.cells_to_start).values()
        ],
        "accelerated": EnvironmentDefinitions().has_gpu,
        "jobs_per_block": len(plan.runnable),
        "block_s": block,
        "blocks": blocks,
        "total_s": blocks * block,
        "shares": None if layout is None else layout_to_dict(layout),
        "pairs": needs.pairs if needs else 0,
        "blocks_for_a_verdict": needs.blocks if needs else None,
        "warnings": list(plan.warnings),
        "workloads": [workload.model_dump(mode="json", by_alias=True) for workload in select_external_workloads(plan)],
    }


def layout_to_dict(layout: ShareLayout) -> dict[str, Any]:
    """Return the shares of a plan."""
    return {
        "shares": layout.shares,
        "share_blocks": layout.share_blocks,
        "nodes": layout.nodes,
        "node_s": layout.node_s,
        "total_s": layout.total_s,
    }


def select_external_workloads(plan: Plan) -> list[Workload]:
    """Return the workloads of a plan that are not built in."""
    return [workload for workload in plan.workloads.values() if workload.code]


def describe_code_origins(plan: Plan) -> Iterator[str]:
    """Yield the origin of each workload that is not built in: its code runs with the user's own rights."""
    for workload in select_external_workloads(plan):
        if workload.model is not None:
            rights = "in a sandbox" if plan.spec.sandbox else "with your rights"
            yield to_printable(describe_model(workload, workload.model, rights))
            continue
        place = workload.source_dir or f"the installed package {workload.package}"
        referee = f"; its reference is {workload.reference} in float64" if workload.reference else ""
        yield to_printable(f"workload {workload.name}: runs the code in {place} (hash {workload.code}){referee}")


def describe_model(workload: Workload, model: ModelSource, rights: str) -> str:
    """Describe a user's model: its code, the rights that it runs with, and its referee."""
    place = model.file or f"{model.module} in {model.folder}"
    if model.kind:
        return f"model {model.title}: {get_kind(model.kind).title} in {place} (hash {workload.code})"
    return (
        f"model {model.title}: runs the code in {place} {rights} (hash {workload.code}); its referee is the "
        f"same model in {workload.reference} in float64"
    )


def show_plan(console: Console, plan: Plan, known: Mapping[str, float], layout: ShareLayout | None = None) -> None:
    """Print the same as tables and a paragraph."""
    said = build_plan_document(plan, known, layout)
    table = make_table("mode", "computation", "time per job")
    for cell, entry in zip(plan.cells, said["cells"], strict=True):
        table.add_row(
            plan.labels[cell.id],
            Text(format_title(cell)),
            Text(entry["unsupported"] or f"about {entry['job_s']:.1f} s"),
        )
    console.print(table)
    console.print()
    console.print(
        environments.build_environments_table(
            plan.environments.find_for_cells(plan.cells_to_start).values(), accelerated=said["accelerated"]
        )
    )
    console.print()
    compared = describe_compared_axis(plan.spec, plan.runnable)
    for line in (
        *describe_code_origins(plan),
        *(f"warning: {warning}" for warning in plan.warnings),
        *filter(None, [compared]),
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    length = describe_length(said) if layout is None else describe_layout(said, layout)
    for line in (length, *describe_needs(plan, known)):
        console.print(line, highlight=False, markup=False)


def describe_layout(said: Mapping[str, Any], layout: ShareLayout) -> str:
    """Describe the shares of a sweep, from the document about its plan."""
    shares = f"{layout.shares} share{'s' if layout.shares > 1 else ''} of {layout.share_blocks} blocks"
    nodes = f"{layout.nodes} node{'s' if layout.nodes > 1 else ''}"
    return (
        f"A block is one job for each of {said['jobs_per_block']} cells, about {said['block_s']:.0f} s. "
        f"{layout.blocks} blocks are {shares} on {nodes}: about {layout.node_s / 3600:.2g} hours on the one that takes "
        f"longest, and {layout.total_s / 3600:.2g} node-hours in all. Waiting and the creation of environments come on "
        "top."
    )


def describe_length(said: Mapping[str, Any]) -> str:
    """Describe the length of a sweep, from the document about its plan."""
    block = f"A block is one job for each of {said['jobs_per_block']} cells, about {said['block_s']:.0f} s."
    if not said["blocks"]:
        return f"{block} The budget is shorter than that: only the cells that fit are measured, once."
    return (
        f"{block} About {said['blocks']} blocks fit the budget: {said['blocks'] * said['jobs_per_block']} jobs, "
        f"{format_clock(said['total_s'])} minutes, or less if the goal is reached earlier."
    )
