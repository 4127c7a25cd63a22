"""The plan of a sweep on several machines. Its imports are few, because `plan` must not wait for them."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.execution.shares import Engine
from orchestrator.execution.shares.engines import open_engine
from orchestrator.machine import affinity
from orchestrator.planning.estimate import MAX_RECORDS_FOR_ESTIMATE, seconds_by_mode
from orchestrator.planning.plan import Plan, build_plan
from orchestrator.planning.shares import ShareLayout, lay_out_shares
from orchestrator.records import store
from schemas.sweep import SweepSpec


@dataclass(frozen=True, slots=True)
class SharedPlan:
    """The plan of a sweep on several machines, with its shares and the engine that places them."""

    plan: Plan
    layout: ShareLayout
    engine: Engine


def plan_shares(spec: SweepSpec, root: Path) -> SharedPlan:
    """Plan a sweep on several machines, which are asked for their number of nodes.

    Raises:
        UsageError: there are none, or the sweep cannot be shared out.
    """
    assert spec.cluster is not None
    if spec.profile:
        raise UsageError("--profile is for one machine; leave it out, and profile on a node without --on")
    planned = build_plan(spec, affinity.list_cores(), is_elsewhere=True)
    engine = open_engine(spec.cluster, len(planned.cells))
    known = seconds_by_mode(store.read_recent(root, MAX_RECORDS_FOR_ESTIMATE))
    nodes = sum(place.slots for place in engine.offers())
    return SharedPlan(planned, lay_out_shares(spec.stop, spec.cluster, nodes, planned.estimate_block_s(known)), engine)
