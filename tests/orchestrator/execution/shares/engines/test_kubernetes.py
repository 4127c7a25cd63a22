"""The manifest of a Kubernetes job has what keeps shares apart and at most once."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.shares import Place
from orchestrator.execution.shares.engines.kubernetes import KubernetesEngine, build_kubernetes_job
from orchestrator.records.share_store import ShareStore
from schemas.cluster import Cluster
from tests.orchestrator.execution.shares.conftest import Node

MakeNode = Callable[..., Node]
CLUSTER = Cluster(on="kubernetes", nodes=2, program="python -m orchestrator")


@pytest.fixture
def stores(make_node: MakeNode) -> list[ShareStore]:
    return [make_node(share=share, attempt=attempt).store for share, attempt in ((1, 1), (4, 2), (7, 1))]


def test_a_job_has_a_pod_for_each_attempt_and_one_that_fails_neither_returns_nor_ends_the_others(
    stores: list[ShareStore], tmp_path: Path
) -> None:
    job = build_kubernetes_job(CLUSTER, stores, "plumbline:1", "runs", tmp_path)
    spec = job["spec"]
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    due = {"completionMode": "Indexed", "completions": 3, "parallelism": 2, "backoffLimitPerIndex": 0}
    assert due.items() <= spec.items()
    assert "backoffLimit" not in spec
    assert spec["podReplacementPolicy"] == "Failed"
    pod = spec["template"]["spec"]
    assert (pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == ("Never", 15)
    assert json.loads(json.dumps(job)) == job


def test_no_node_runs_two_pods(stores: list[ShareStore], tmp_path: Path) -> None:
    template = build_kubernetes_job(CLUSTER, stores, "i", "c", tmp_path)["spec"]["template"]
    (rule,) = template["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    (selector,) = rule["labelSelector"]["matchExpressions"]
    assert selector["key"] in template["metadata"]["labels"]


def test_gpus_and_the_volume_are_those_that_were_asked_for(stores: list[ShareStore], tmp_path: Path) -> None:
    cluster = CLUSTER.model_copy(update={"gpus": 2})
    pod = build_kubernetes_job(cluster, stores, "plumbline:1", "my-runs", tmp_path)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": 2}}
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "my-runs"}
    assert container["volumeMounts"][0]["mountPath"] == str(tmp_path)


@pytest.mark.parametrize(("index", "name"), [(0, "1-1"), (1, "4-2"), (2, "7-1")])
def test_a_pod_runs_the_attempt_of_its_index(stores: list[ShareStore], tmp_path: Path, index: int, name: str) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho "$@"; cat\nexit 1\n')
    program.chmod(0o700)
    cluster = CLUSTER.model_copy(update={"program": str(program)})
    (container,) = build_kubernetes_job(cluster, stores, "i", "c", tmp_path)["spec"]["template"]["spec"]["containers"]
    variables = dict(os.environ) | {"JOB_COMPLETION_INDEX": str(index), "NODE_NAME": "pool-7"}
    # Status 0: a pod that fails would end the whole job.
    subprocess.run(container["command"], env=variables, check=True, timeout=60)
    chosen = next(store for store in stores if store.folder.name == name)
    first, request = chosen.log_path.read_text().splitlines()
    assert first == "share --node pool-7"
    assert json.loads(request)["share"] == chosen.number[0]
    assert container["env"][0]["valueFrom"]["fieldRef"]["fieldPath"] == "spec.nodeName"


def test_an_attempt_waits_until_a_pod_takes_it(make_node: MakeNode) -> None:
    engine, node = KubernetesEngine(CLUSTER), make_node()
    engine.start_attempts([node.store], Place("", 2))
    before = engine.ask_states([node.store])[1, 1]
    assert (before.name, before.reason) == ("waiting", "apply the job that `cluster-job` prints")
    node.begin()
    after = engine.ask_states([node.store])[1, 1]
    assert (after.name, after.reason) == ("running", "")


def test_an_attempt_that_was_withdrawn_before_a_pod_took_it_is_gone(make_node: MakeNode) -> None:
    node = make_node()
    node.store.withdraw_attempt()
    assert KubernetesEngine(CLUSTER).ask_states([node.store])[1, 1].name == "gone"


def test_a_job_has_all_shares_however_many_run_at_once(stores: list[ShareStore], tmp_path: Path) -> None:
    (place,) = KubernetesEngine(CLUSTER).list_places()
    assert (place.slots, place.takes_all) == (2, True)
    spec = build_kubernetes_job(CLUSTER, stores, "i", "c", tmp_path)["spec"]
    assert (spec["completions"], spec["parallelism"]) == (3, 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nodes": None}, "needs a number of nodes, such as --nodes 4"),
        ({"nodes": ("a",)}, "needs a number of nodes, such as --nodes 4"),
        ({"files": "stream"}, "needs files = 'shared' in [cluster]"),
        ({"partition": "x"}, "partition in [cluster] is for --on slurm"),
        ({"program": ""}, "needs program in [cluster]: the command that starts this program in the image"),
        ({"program": " "}, "program in [cluster] is blank; leave it out"),
    ],
)
def test_settings_that_do_not_fit_are_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        KubernetesEngine(CLUSTER.model_copy(update=changes))
    assert said in str(raised.value)
