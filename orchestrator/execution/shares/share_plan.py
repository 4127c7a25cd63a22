"""The plan of a share on its node, which must come to the same cells as that of the head."""

import dataclasses

from orchestrator.errors import UsageError
from orchestrator.machine.affinity import list_cores
from orchestrator.planning.plan import Plan, clone_cell, rebuild_plan
from orchestrator.records.provenance import SOURCE, hash_code, make_identity
from schemas.share import ShareSpec


def check_code(spec: ShareSpec) -> None:
    """Check that this node has the head's measuring code.

    Raises:
        UsageError: it has another.
    """
    if hash_code(SOURCE) != spec.identity.code:
        raise UsageError(
            f"the source of workers/ or schemas/ in {SOURCE} is not that of the head; install the same version on "
            "every node"
        )


def rebuild_share_plan(spec: ShareSpec) -> Plan:
    """Plan the run of a share for this machine.

    Raises:
        UsageError: a name in it does not exist here, or nothing can run here.
    """
    return rebuild_plan(spec.sweep, spec.seed, list_cores(), extensions=spec.extensions)


def complete_share_plan(planned: Plan, spec: ShareSpec) -> Plan:
    """Return the plan with the head's A/A clone and the last block of the share.

    The clone repeats the first cell that can run, which may be another one here.

    Raises:
        UsageError: the cells are not those of the head.
    """
    cells, refused = planned.cells[:-1], dict(planned.refused)
    cloned = next((cell for cell in cells if cell.id == spec.cloned), None)
    if cloned is not None:
        clone = clone_cell(cloned)
        cells = (*cells, clone)
        if cloned.id in refused:
            refused[clone.id] = refused[cloned.id]
    stop = spec.sweep.stop.model_copy(update={"blocks": spec.last})
    whole = dataclasses.replace(
        planned, cells=cells, refused=refused, spec=planned.spec.model_copy(update={"stop": stop})
    )
    original = spec.sweep.model_copy(update={"stop": spec.extensions[0].stop if spec.extensions else spec.sweep.stop})
    if make_identity(original, spec.seed, cells).sweep != spec.identity.sweep:
        raise UsageError(
            "the sweep yields other cells on this node than on the head; install the same version, and the same "
            "workloads under the same paths, on every node"
        )
    return whole
