"""The nodes of a run on several machines: which blocks each has measured, and of which type it is. Pure."""

from collections.abc import Iterable, Mapping

from schemas.machine_type import MachineType, identify_type
from schemas.record import Host, JobRecord


def list_nodes(records: Iterable[JobRecord]) -> list[str]:
    """List the nodes of a run in the order of their first records; empty: it was measured on one machine."""
    return list(dict.fromkeys(record.placement.node for record in records if record.placement is not None))


def map_blocks_to_nodes(records: Iterable[JobRecord]) -> dict[int, str]:
    """Return the node that has measured each block, all of it: the cells of a block are paired."""
    return {record.spec.block: record.placement.node for record in records if record.placement is not None}


def map_blocks_to_shares(records: Iterable[JobRecord]) -> dict[int, int]:
    """Return the share to which each block belongs: the blocks that one process on one node has measured in turn."""
    return {record.spec.block: record.placement.share for record in records if record.placement is not None}


def find_hosts(records: Iterable[JobRecord]) -> dict[str, Host]:
    """Return the machine of each node, as its first record describes it."""
    found = dict[str, Host]()
    for record in records:
        if record.placement is not None:
            found.setdefault(record.placement.node, record.host)
    return found


def group_nodes_by_type(hosts: Mapping[str, Host]) -> dict[MachineType, list[str]]:
    """Group nodes by the type of their machine. Results of two types are never pooled."""
    found = dict[MachineType, list[str]]()
    for node, host in hosts.items():
        found.setdefault(identify_type(host), []).append(node)
    return found
