"""Kubernetes objects that launch a plan: JobSet, Kubeflow TrainJob, RayCluster; and a Deployment that serves.

Objects are plain dictionaries; their YAML needs PyYAML (the `plan` extra). Counts come from the plan.
 API versions: jobset.x-k8s.io/v1alpha2, trainer.kubeflow.org/v1alpha1, ray.io/v1, apps/v1.
"""

import re
from typing import Any

from trinch.planner.launch.megatron import connections, megatron
from trinch.planner.launch.saving import Saving
from trinch.planner.launch.sglang import sglang
from trinch.planner.launch.shell import wrapped
from trinch.planner.launch.slurm import gpus_per_node, job, restarts
from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import Plan
from trinch.planner.perf.serving import Served
from trinch.training.slurm_script import torchrun

Object = dict[str, Any]
IMAGE = "nvcr.io/nvidia/pytorch:25.10-py3"
RAY = "2.50.0"
SETTINGS = "training-settings"
"""ConfigMap you create with MEGATRON, DATA, TOKENIZER, CHECKPOINTS and LR."""


def object_name(plan: Plan) -> str:
    """A name Kubernetes accepts: lower case letters, digits and dashes, at most 40."""
    return re.sub(r"[^a-z0-9]+", "-", f"trinch-{plan.workload.name}".lower()).strip("-")[:40].strip("-")


def _pod(plan: Plan, command: list[str], image: str, ports: int = 29500) -> Object:
    gpus = gpus_per_node(plan)
    container = {
        "name": "trainer",
        "image": image,
        "command": command,
        "envFrom": [{"configMapRef": {"name": SETTINGS}}],
        "env": [{"name": "CUDA_DEVICE_MAX_CONNECTIONS", "value": str(connections(plan))}],
        "ports": [{"containerPort": ports}],
        "resources": {"requests": {"nvidia.com/gpu": str(gpus)}, "limits": {"nvidia.com/gpu": str(gpus)}},
        "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
        "volumeMounts": [
            {"name": "shm", "mountPath": "/dev/shm"},
            {"name": "shared", "mountPath": "/shared"},
        ],
    }
    return {
        "restartPolicy": "Never",
        "hostNetwork": True,
        "dnsPolicy": "ClusterFirstWithHostNet",
        "containers": [container],
        "volumes": [
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
            {"name": "shared", "persistentVolumeClaim": {"claimName": "shared-storage"}},
        ],
    }


def _torchrun(plan: Plan, saving: Saving, rank: str, master: str) -> list[str]:
    made = job(plan, saving, 1, 1, "megatron")
    return ["bash", "-c", "exec " + torchrun(made, str(plan.nodes), rank, master)]


def jobset(plan: Plan, saving: Saving, interruptions: float, image: str = IMAGE) -> Object:
    """A JobSet of one indexed job with one pod a node; a failed pod restarts the whole set."""
    name = object_name(plan)
    command = _torchrun(plan, saving, "$JOB_COMPLETION_INDEX", f"{name}-node-0-0.{name}")
    spec = {
        "parallelism": plan.nodes,
        "completions": plan.nodes,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        "template": {"spec": _pod(plan, command, image)},
    }
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": name, "annotations": _annotations(plan)},
        "spec": {
            "network": {"enableDNSHostnames": True},
            "failurePolicy": {"maxRestarts": restarts(interruptions)},
            "replicatedJobs": [{"name": "node", "replicas": 1, "template": {"spec": spec}}],
        },
    }


def trainjob(plan: Plan, saving: Saving, image: str = IMAGE) -> Object:
    """A Kubeflow TrainJob on the `torch-distributed` runtime, which sets the rendezvous for torchrun."""
    gpus = gpus_per_node(plan)
    script = wrapped('torchrun "$MEGATRON/pretrain_gpt.py"', megatron(plan, saving))
    command = ["bash", "-c", f"exec {script}"]
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": object_name(plan), "annotations": _annotations(plan)},
        "spec": {
            "runtimeRef": {"name": "torch-distributed"},
            "trainer": {
                "image": image,
                "numNodes": plan.nodes,
                "numProcPerNode": gpus,
                "command": command,
                "env": [{"name": "CUDA_DEVICE_MAX_CONNECTIONS", "value": str(connections(plan))}],
                "resourcesPerNode": {
                    "requests": {"nvidia.com/gpu": str(gpus)},
                    "limits": {"nvidia.com/gpu": str(gpus)},
                },
            },
        },
    }


def raycluster(plan: Plan, image: str = f"rayproject/ray:{RAY}-gpu") -> Object:
    """A RayCluster with one worker a node, the head on a node without GPUs, room for the spare nodes."""
    gpus = gpus_per_node(plan)
    worker = _pod(plan, ["ulimit", "-l", "unlimited"], image, ports=8080)
    worker.pop("restartPolicy")  # the operator sets it
    worker["containers"][0].pop("command")
    worker["containers"][0]["name"] = "ray-worker"
    head = {
        "containers": [
            {
                "name": "ray-head",
                "image": image,
                "ports": [
                    {"containerPort": 6379, "name": "gcs"},
                    {"containerPort": 8265, "name": "dashboard"},
                ],
                "resources": {"requests": {"cpu": "16", "memory": "64Gi"}, "limits": {"memory": "64Gi"}},
            }
        ]
    }
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": object_name(plan), "annotations": _annotations(plan)},
        "spec": {
            "rayVersion": RAY,
            "headGroupSpec": {
                "rayStartParams": {"num-gpus": "0", "dashboard-host": "0.0.0.0"},
                "template": {"spec": head},
            },
            "workerGroupSpecs": [
                {
                    "groupName": "gpu",
                    "replicas": plan.nodes,
                    "minReplicas": plan.nodes,
                    "maxReplicas": plan.nodes + plan.spare_nodes,
                    "rayStartParams": {"num-gpus": str(gpus)},
                    "template": {"spec": worker},
                }
            ],
        },
    }


def serving(
    served: Served,
    model: str,
    length: int,
    gpus_per_node: int,
    kv_bytes: float = 2.0,
    image: str = "lmsysorg/sglang",
) -> list[Object]:
    """A Deployment with one pod a replica, and its Service. PlanError where a replica spans nodes."""
    gpus = served.tp * served.pp
    if gpus > gpus_per_node:
        raise PlanError(
            f"a replica of {gpus} GPUs spans nodes of {gpus_per_node}: "
            "start it with serve-sglang.sh on each node"
        )
    if served.mode == "split":
        raise PlanError(
            "prefill and decode apart need a router between them: plan with --mode mixed for a Deployment"
        )
    name = re.sub(r"[^a-z0-9]+", "-", f"serve-{model}".lower()).strip("-")[:40].strip("-")
    labels = {"app.kubernetes.io/name": name}
    command = wrapped("python3 -m sglang.launch_server", sglang(served, model, length, kv_bytes))
    container = {
        "name": "sglang",
        "image": image,
        "command": ["bash", "-c", f"exec {command}"],
        "env": [{"name": "MODEL", "value": "/models/" + name.removeprefix("serve-")}],
        "ports": [{"containerPort": 30000, "name": "http"}],
        "resources": {"requests": {"nvidia.com/gpu": str(gpus)}, "limits": {"nvidia.com/gpu": str(gpus)}},
        "readinessProbe": {"httpGet": {"path": "/health", "port": 30000}, "periodSeconds": 10},
        "volumeMounts": [
            {"name": "models", "mountPath": "/models", "readOnly": True},
            {"name": "shm", "mountPath": "/dev/shm"},
        ],
    }
    pod = {
        "containers": [container],
        "volumes": [
            {"name": "models", "persistentVolumeClaim": {"claimName": "models"}},
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
        ],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": served.replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels},
        "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }
    return [deployment, service]


def _annotations(plan: Plan) -> dict[str, str]:
    return {
        "trinch.dev/layout": plan.layout.label(),
        "trinch.dev/gpus": str(plan.n_gpus),
        "trinch.dev/spare-nodes": str(plan.spare_nodes),
    }


def to_yaml(*objects: Object) -> str:
    """YAML documents. PlanError where PyYAML is not installed."""
    try:
        import yaml
    except ImportError:
        raise PlanError("writing Kubernetes manifests needs PyYAML: pip install 'trinch[plan]'") from None

    class Plain(yaml.SafeDumper):
        """No anchors and aliases, which confuse readers and some tools; scripts as blocks."""

        def ignore_aliases(self, _: object) -> bool:
            return True

    def text_node(to: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return to.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Plain.add_representer(str, text_node)
    text: str = yaml.dump_all(objects, Dumper=Plain, sort_keys=False, width=110)
    return text
