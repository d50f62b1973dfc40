"""Every file that launches a plan: accepted by a real tool or schema, and counting as the plan counts."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cluster_plans import grok, plan, plans
from engine_parsers import parsed
from hypothesis import given, settings

from trinch.model.config import CONFIGS
from trinch.planner.launch import kubernetes, oci_terraform, slurm
from trinch.planner.launch import trainer_settings as own
from trinch.planner.launch.saving import Saving
from trinch.planner.launch.shell import wrapped
from trinch.planner.perf.hardware import PlanError, gpu
from trinch.planner.perf.layout import Layout, Plan
from trinch.planner.perf.models import workload
from trinch.planner.perf.serving import Demand
from trinch.planner.serving_plan import plan_serving, write_serving
from trinch.training.settings import read_settings
from trinch.training.slurm_script import time_limit

KUBERNETES = "1.32"
SAVING = Saving("async", 25)


@settings(max_examples=40, deadline=None)
@given(plans())
def test_every_manifest_counts_as_the_plan_counts(made: Plan) -> None:
    per_node = made.machine.gpu.gpus_per_node
    assert made.nodes * per_node == made.n_gpus
    nodes = made.nodes + made.spare_nodes

    files = slurm.scripts(made, SAVING, 40.0, 400)
    batch, launch = files["megatron.sbatch"], files["launch-megatron.sh"]
    assert f"#SBATCH --nodes={nodes}\n" in batch
    assert f"#SBATCH --gpus-per-node={per_node}\n" in batch
    assert re.search(rf"^NODES={made.nodes} ", batch, re.M)
    assert f"--nproc-per-node={per_node} " in launch
    assert f"RANKS={made.n_gpus}\n" in batch

    jobs = kubernetes.jobset(made, SAVING, 400)["spec"]["replicatedJobs"]
    spec = jobs[0]["template"]["spec"]
    assert [job["replicas"] for job in jobs] == [1]
    assert spec["parallelism"] == spec["completions"] == made.nodes
    assert gpus_of(spec["template"]["spec"]) * made.nodes == made.n_gpus
    command = spec["template"]["spec"]["containers"][0]["command"][2]
    assert f"--nnodes={made.nodes} --nproc-per-node={per_node} " in command

    trainer = kubernetes.trainjob(made, SAVING)["spec"]["trainer"]
    assert trainer["numNodes"] * trainer["numProcPerNode"] == made.n_gpus
    assert int(trainer["resourcesPerNode"]["limits"]["nvidia.com/gpu"]) == per_node

    group = kubernetes.raycluster(made)["spec"]["workerGroupSpecs"][0]
    assert group["replicas"] * gpus_of(group["template"]["spec"]) == made.n_gpus
    assert group["minReplicas"] == made.nodes
    assert group["maxReplicas"] == nodes
    assert int(group["rayStartParams"]["num-gpus"]) == per_node

    if made.machine.shape.startswith("BM.GPU"):
        assert int(re.search(r"default\s+= (\d+)", oci_terraform.terraform(made))[1]) == nodes  # type: ignore[index]


def gpus_of(pod: dict[str, Any]) -> int:
    limits = {int(box["resources"]["limits"]["nvidia.com/gpu"]) for box in pod["containers"]}
    requests = {int(box["resources"]["requests"]["nvidia.com/gpu"]) for box in pod["containers"]}
    assert limits == requests
    return sum(limits)


@settings(max_examples=40, deadline=None)
@given(plans())
def test_trinch_itself_takes_what_was_planned(made: Plan) -> None:
    if not own.runs(made):
        assert made.workload.name not in CONFIGS or made.layout.cp > 1 or made.layout.dp % made.layout.ep
        return
    files = own.files(made, SAVING, 40.0, 400)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.json"
        path.write_text(files["settings.json"])
        read = read_settings(path)
    cut, mesh = made.layout, read.mesh
    assert (mesh.pipeline, mesh.tensor, mesh.expert, mesh.data_ways) == (cut.pp, cut.tp, cut.ep, cut.dp)
    assert mesh.filled(read.launch.nodes * read.launch.processes) == mesh
    assert read.launch.nodes * read.launch.processes == made.n_gpus
    assert read.data.vocabulary == made.workload.vocab, "or it would be another model"
    assert CONFIGS[read.config].hidden_size % (mesh.shard * mesh.expert) == 0
    assert f"#SBATCH --nodes={made.nodes + made.spare_nodes}\n" in files["slurm.sbatch"]
    assert f"RANKS={made.n_gpus}\n" in files["slurm.sbatch"]
    assert all(f"# {sentence}\n" in files["slurm.sbatch"] for sentence in own.differences(made, SAVING))


@settings(max_examples=6, deadline=None)
@given(plans())
def test_bash_reads_every_script(made: Plan) -> None:
    for engine in ("megatron", "torchtitan"):
        for text in slurm.scripts(made, SAVING, 40.0, 400, engine).values():
            read_by_bash(text)


def read_by_bash(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    if shutil.which("shellcheck"):
        done = subprocess.run(
            ["shellcheck", "-s", "bash", "-"], input=script, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_the_batch_script_swaps_a_sick_node_and_starts_every_rank(tmp_path: Path) -> None:
    """Runs the script with stand-ins for Slurm and torchrun: one node of five is sick, one try fails."""
    cut = Layout(tp=8, pp=4, dp=1, global_batch=8, zero=1)
    made = plan(cut, "llama-3-8b", spare_gpus=8)
    for name, text in slurm.scripts(made, SAVING, 0.5, 1).items():
        (tmp_path / name).write_text(text)
    tools = tmp_path / "bin"
    tools.mkdir()
    stand_ins = {
        # Health checks answer for all but n2; a launch runs the step once a node.
        "srun": """
nodes=""; script=""
for arg in "$@"; do case "$arg" in --nodelist=*) nodes=${arg#--nodelist=};; esac; script=$arg; done
if [ -z "$nodes" ]; then printf 'n5\\nn4\\nn3\\nn1\\n'; exit 0; fi
touch "$LOG.tries"; echo try >>"$LOG.tries"
[ "$(wc -l <"$LOG.tries")" -gt 1 ] || exit 1
id=0; for node in $(cat "$nodes"); do
  SLURM_NODEID=$id SLURM_STEP_NODELIST="$nodes" bash "$script" || exit 1; id=$((id + 1)); done
""",
        "scontrol": '[ "$1" = show ] && cat "$3"\n',
        "torchrun": 'printf "%s\\n" "$*" >>"$LOG"\n',
    }
    for name, body in stand_ins.items():
        (tools / name).write_text("#!/bin/bash\n" + body)
        (tools / name).chmod(0o755)
    log = tmp_path / "log"
    env = dict(
        os.environ, PATH=f"{tools}:{os.environ['PATH']}", LOG=str(log), SLURM_JOB_ID="7", MEGATRON="/m"
    )
    env["SLURM_SUBMIT_DIR"] = str(tmp_path)
    spool = tmp_path / "spool"  # Slurm runs a copy of the script from elsewhere
    spool.mkdir()
    shutil.copy(tmp_path / "megatron.sbatch", spool / "slurm_script")
    env |= {"DATA": "/d", "TOKENIZER": "/t", "CHECKPOINTS": str(tmp_path), "LR": "1e-4"}
    done = subprocess.run(
        ["bash", str(spool / "slurm_script")], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "restarting from the last checkpoint" in done.stderr
    started = log.read_text().splitlines()
    assert len(started) == made.nodes == 4
    ranks = [re.findall(r"--node-rank=(\d+)", line) for line in started]
    assert ranks == [["0"], ["1"], ["2"], ["3"]]
    assert all("--nnodes=4 --nproc-per-node=8 " in line and "--master-addr=n1 " in line for line in started)
    assert not any("n2" in line for line in (tmp_path / ".launch-7" / "nodes").read_text().split())


def test_kubernetes_objects_pass_the_schemas_of_kubernetes() -> None:
    check = pytest.importorskip("kubernetes_validate")
    made = grok()
    job = kubernetes.jobset(made, SAVING, 400)["spec"]["replicatedJobs"][0]["template"]
    check.validate(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, **job}, KUBERNETES, strict=True
    )
    ray = kubernetes.raycluster(made)["spec"]
    for template in (ray["headGroupSpec"]["template"], ray["workerGroupSpecs"][0]["template"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **template}
        check.validate(pod, KUBERNETES, strict=True)
    with pytest.raises(check.ValidationError):  # the check can fail
        check.validate(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"container": []}},
            KUBERNETES,
            strict=True,
        )


def test_jobset_and_trainjob_pass_the_models_of_kubeflow() -> None:
    api = pytest.importorskip("kubeflow_trainer_api.models")
    made = grok()
    for model, made_object in (
        (api.JobsetV1alpha2JobSet, kubernetes.jobset(made, SAVING, 400)),
        (api.TrainerV1alpha1TrainJob, kubernetes.trainjob(made, SAVING)),
    ):
        back = json.loads(model.from_json(json.dumps(made_object)).to_json())
        assert missing(made_object, back) == []  # the model drops fields it does not know


def missing(given: Any, back: Any, at: str = "") -> list[str]:
    """Paths of `given` that are not in `back`."""
    if isinstance(given, dict):
        return [
            path
            for key, value in given.items()
            for path in (
                [f"{at}.{key}"] if key not in (back or {}) else missing(value, back[key], f"{at}.{key}")
            )
        ]
    if isinstance(given, list):
        return [p for i, value in enumerate(given) for p in missing(value, back[i], f"{at}[{i}]")]
    return []


RAY = {  # CustomResourceDefinition rayclusters.ray.io, version v1, KubeRay 1.7.0
    "spec": "authOptions autoscalerOptions enableInTreeAutoscaling gcsFaultToleranceOptions headGroupSpec "
    "headServiceAnnotations historyServerOptions managedBy networkPolicy rayVersion suspend tlsOptions "
    "upgradeStrategy workerGroupSpecs",
    "head": "enableIngress headService ingressOptions labels rayStartParams resources serviceType template",
    "worker": "groupName idleTimeoutSeconds labels maxReplicas minReplicas numOfHosts priority "
    "rayStartParams replicas resources scaleStrategy suspend template",
}


def test_raycluster_uses_the_fields_of_its_definition() -> None:
    spec = kubernetes.raycluster(grok())["spec"]
    worker = spec["workerGroupSpecs"][0]
    for name, part in (("spec", spec), ("head", spec["headGroupSpec"]), ("worker", worker)):
        assert set(part) <= set(RAY[name].split())
    assert {"groupName", "maxReplicas", "minReplicas", "template"} <= set(worker)
    for params in (spec["headGroupSpec"]["rayStartParams"], worker["rayStartParams"]):
        assert all(isinstance(value, str) for value in params.values())


def test_yaml_reads_back_as_the_objects() -> None:
    yaml = pytest.importorskip("yaml")
    objects = [kubernetes.jobset(grok(), SAVING, 400), kubernetes.raycluster(grok())]
    assert list(yaml.safe_load_all(kubernetes.to_yaml(*objects))) == objects
    assert "&id" not in kubernetes.to_yaml(*objects)
    assert re.search(r"\n +--num-layers 64 \\\n", kubernetes.to_yaml(*objects))  # a script reads as a script


OCI = {  # argument names from the documentation of the provider oracle/oci
    "oci_core_instance_configuration": "compartment_id display_name instance_details instance_type "
    "launch_details availability_domain shape metadata create_vnic_details subnet_id assign_public_ip "
    "source_details source_type "
    "image_id boot_volume_size_in_gbs agent_config are_all_plugins_disabled is_management_disabled "
    "is_monitoring_disabled plugins_config name desired_state",
    "oci_core_cluster_network": "compartment_id display_name instance_pools instance_configuration_id size "
    "placement_configuration availability_domain primary_subnet_id timeouts create",
}


@pytest.mark.parametrize("chip", ["h100", "h200", "a100"])
def test_terraform_parses_and_uses_documented_names(chip: str) -> None:
    hcl2 = pytest.importorskip("hcl2")
    made = plan(grok().layout, "grok-1", chip)
    read = hcl2.loads(oci_terraform.terraform(made))
    variables = {unquoted(name) for block in read["variable"] for name in block if not name.startswith("__")}
    for block in read["resource"]:
        for kind, named in block.items():
            if kind.startswith("__"):
                continue
            for body in named.values():
                allowed = set(OCI[unquoted(kind)].split()) | {"ssh_authorized_keys"}
                assert names(body) <= allowed
    assert set(re.findall(r"var\.(\w+)", oci_terraform.terraform(made))) == variables
    assert made.machine.shape in oci_terraform.terraform(made)


def unquoted(name: str) -> str:
    return name.strip('"')


def names(body: Any) -> set[str]:
    if isinstance(body, list):
        return set().union(*map(names, body))
    if isinstance(body, dict):
        own = {key for key in body if not key.startswith("__")}
        return own.union(*(names(value) for key, value in body.items() if not key.startswith("__")))
    return set()


def test_terraform_is_formatted_as_terraform_formats(tmp_path: Path) -> None:
    tool = shutil.which("terraform")
    if tool is None:
        pytest.skip("needs the terraform binary")
    (tmp_path / "main.tf").write_text(oci_terraform.terraform(grok()))
    done = subprocess.run(
        [tool, "fmt", "-check", "-diff", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("model", "chip"), [("grok-2", "h100"), ("grok-2", "h200"), ("llama-3-8b", "h100")])
def test_serving_files_start_what_was_planned(model: str, chip: str, tmp_path: Path) -> None:
    check = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    found = plan_serving(workload(model), gpu(chip), Demand(20, 1000, 300), mode="mixed")
    best = found["best"]
    written = {path.name: path.read_text() for path in write_serving(found, tmp_path, gpu(chip))}
    script = written["serve-sglang.sh"]
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    arguments = script.split("sglang.launch_server")[1].replace("\\\n", " ").split("\n")[:1]
    args = parsed("sglang", arguments)
    assert (args["tp_size"], args["pp_size"]) == (best["tp"], best["pp"])
    deployment, service = yaml.safe_load_all(written["serving.yaml"])
    for made in (deployment, service):
        check.validate(made, KUBERNETES, strict=True)
    assert deployment["spec"]["replicas"] * gpus_of(deployment["spec"]["template"]["spec"]) == best["gpus"]


def test_what_cannot_be_launched_is_one_sentence() -> None:
    with pytest.raises(PlanError, match="no Oracle shape"):
        oci_terraform.terraform(plan(grok().layout, "grok-1", site="colossus"))
    with pytest.raises(PlanError, match="do not fill nodes of 8: plan for 8 or 16"):
        slurm.scripts(plan(Layout(tp=4, dp=3, global_batch=12), "llama-3-8b"), SAVING, 1, 1)
    with pytest.raises(PlanError, match="line break"):
        wrapped("x", ["a\nb"])


def test_a_models_name_cannot_add_a_line_to_a_script() -> None:
    pytest.importorskip("yaml")
    evil = "x\nrm -rf / #$(id)`id`\"'"
    made = replace(grok(), workload=replace(grok().workload, name=evil))
    texts = [*slurm.scripts(made, SAVING, 40.0, 400).values(), oci_terraform.terraform(made)]
    texts.append(kubernetes.to_yaml(kubernetes.jobset(made, SAVING, 400)))
    for text in texts:
        assert "rm -rf" not in text
        assert "$(id)" not in text
    assert re.fullmatch(r"[a-z0-9-]+", kubernetes.object_name(made))


def test_slurm_hours_round_up() -> None:
    assert time_limit(slurm.hours(1.01)) == "1-01:00:00"
    assert time_limit(slurm.hours(0.001)) == "0-01:00:00"
    assert time_limit(slurm.hours(40)) == "40-00:00:00"
    assert time_limit(36.51) == "1-12:31:00"
