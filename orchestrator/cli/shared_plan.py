"""The plan of a sweep on several machines, for `plan` and `sweep`."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import UsageError
from orchestrator.execution.shares import Engine
from orchestrator.execution.shares.engines import open_engine
from orchestrator.machine import affinity
from orchestrator.planning.plan import Plan, build_plan
from orchestrator.planning.shares import ShareLayout, lay_out_shares
from schemas.sweep import SweepSpec


@dataclass(frozen=True, slots=True)
class SharedPlan:
    """The plan of a sweep on several machines, with its shares and the engine that places them."""

    plan: Plan
    layout: ShareLayout
    engine: Engine


def plan_shares(spec: SweepSpec, known: Mapping[str, float]) -> SharedPlan:
    """Plan a sweep on several machines, which are asked for their number of nodes. `known` are durations by mode.

    Raises:
        UsageError: there are none, or the sweep cannot be shared out.
    """
    assert spec.cluster is not None
    if spec.profile:
        raise UsageError("--profile is for one machine; leave it out, and profile on a node without --on")
    planned = build_plan(spec, affinity.list_cores(), is_elsewhere=True)
    engine = open_engine(spec.cluster, len(planned.cells))
    nodes = sum(place.slots for place in engine.list_places())
    return SharedPlan(planned, lay_out_shares(spec.stop, spec.cluster, nodes, planned.estimate_block_s(known)), engine)
