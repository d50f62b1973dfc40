"""The files in deploy/, checked by parsers and schemas of the programs that read them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trinch.service.config import keys
from trinch.store.cluster.partitions import PARTITIONS, parse_partitions

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
VARIABLES = {key.variable for key in keys()} | {"TRINCH_CONFIG"}


def test_the_dockerfile() -> None:
    parse = pytest.importorskip("dockerfile_parse", reason="dockerfile-parse is not installed")
    found = parse.DockerfileParser(path=str(DEPLOY / "Dockerfile"))
    steps = [(step["instruction"], step["value"]) for step in found.structure]
    last = steps[max(i for i, (name, _) in enumerate(steps) if name == "FROM") :]
    kinds = [name for name, _ in last]
    assert len([name for name, _ in steps if name == "FROM"]) == 2  # no compiler, pip or source in the image
    assert dict(last)["USER"] not in ("0", "root")
    assert "/healthz" in dict(last)["HEALTHCHECK"]
    assert json.loads(dict(last)["ENTRYPOINT"]) == ["trinch"]
    assert kinds.index("USER") < kinds.index("ENTRYPOINT")
    assert set(re.findall(r"TRINCH_[A-Z_]+", dict(last)["ENV"])) <= VARIABLES
    copied = [
        path
        for name, value in steps
        if name == "COPY" and "--from" not in value
        for path in value.split()[:-1]
    ]
    assert all((ROOT / path).exists() for path in copied)


def test_the_compose_file() -> None:
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(DEPLOY / "compose.yaml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["trinch"]
    assert set(service["environment"]) <= VARIABLES
    assert "ports" not in service  # reached through the proxy alone
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()


def test_the_compose_file_of_a_cluster() -> None:
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    path = DEPLOY / "cluster" / "compose.yaml"
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    services = yaml.safe_load(path.read_text())["services"]
    nodes = {name: one for name, one in services.items() if one.get("command") == ["node"]}
    assert _shares([one["environment"]["TRINCH_PARTITIONS"] for one in nodes.values()])
    asked = services["coordinator"]["environment"]["TRINCH_NODES"].split()
    assert asked == [f"http://{name}:8377" for name in nodes]
    for one in (*nodes.values(), services["coordinator"]):
        assert set(one["environment"]) <= VARIABLES
        assert "ports" not in one
        assert (path.parent / one["build"]["context"] / one["build"]["dockerfile"]).exists()


def _shares(texts: list[str]) -> bool:
    """Whether these are all partitions, each once."""
    found = sorted(one for text in texts for one in parse_partitions(text))
    return found == list(range(PARTITIONS))


def test_the_manifests_of_a_cluster(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    from trinch.service.config import load

    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes-cluster" / "trinch-cluster.yaml").read_text()))
    for one in documents:
        validate.validate(one, "1.30", strict=True)
    named = {(one["kind"], one["metadata"]["name"]): one for one in documents}
    for name, service in (("nats", "nats"), ("node", "node"), ("coordinator", "")):
        work = named["StatefulSet", f"trinch-{name}"]["spec"]
        selector = named["Service", f"trinch-{service}".rstrip("-")]["spec"]["selector"]
        assert selector == work["selector"]["matchLabels"] == work["template"]["metadata"]["labels"]
        assert work["template"]["spec"]["securityContext"]["runAsNonRoot"]
    node = named["StatefulSet", "trinch-node"]["spec"]
    variables = {
        one["name"]: one.get("value", "") for one in node["template"]["spec"]["containers"][0]["env"]
    }
    assert set(variables) - {"POD_INDEX"} <= VARIABLES
    share = variables["TRINCH_PARTITIONS"]
    assert _shares([share.replace("$(POD_INDEX)", str(n)) for n in range(node["replicas"])])
    (tmp_path / "trinch.toml").write_text(named["ConfigMap", "trinch-cluster"]["data"]["trinch.toml"])
    settings = load(tmp_path / "trinch.toml", {})
    assert settings["TRINCH_LOG"] == variables["TRINCH_LOG"]
    wanted = [f"http://trinch-node-{n}.trinch-node:8377" for n in range(node["replicas"])]
    assert settings["TRINCH_NODES"].split() == wanted


@pytest.mark.parametrize("name", ["trinch.service", "trinch-backup.timer", "trinch-backup.service"])
def test_the_units_of_systemd(name: str, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    for path in DEPLOY.glob("trinch*.[st]*"):  # with a program that is there
        text = path.read_text().replace("/opt/trinch/bin/trinch", "/bin/true")
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(tmp_path / name)], capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "trinch" in line]
    assert (done.returncode, said) == (0, [])


def test_the_manifests_of_kubernetes() -> None:
    yaml = pytest.importorskip("yaml")
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "trinch.yaml").read_text()))
    for one in documents:
        validate.validate(one, "1.30", strict=True)
    kinds = {one["kind"]: one for one in documents}
    pod = kinds["StatefulSet"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["containers"][0]["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert kinds["Service"]["spec"]["selector"] == kinds["StatefulSet"]["spec"]["selector"]["matchLabels"]


def test_the_settings_in_the_manifests_are_read(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    from trinch.service.config import load

    documents = yaml.safe_load_all((DEPLOY / "kubernetes" / "trinch.yaml").read_text())
    (settings,) = [one["data"]["trinch.toml"] for one in documents if one["kind"] == "ConfigMap"]
    (tmp_path / "trinch.toml").write_text(settings)
    assert load(tmp_path / "trinch.toml", {})["TRINCH_LISTEN"] == "jetstream"


def test_the_dashboard_of_grafana() -> None:
    models = pytest.importorskip(
        "grafana_foundation_sdk.models.dashboard", reason="grafana-foundation-sdk is not installed"
    )
    promql = pytest.importorskip("promql_parser", reason="promql-parser is not installed")
    raw: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    assert len(models.Dashboard.from_json(raw).panels) == len(raw["panels"])
    documented = set(re.findall(r"`(trinch_\w+)`", (ROOT / "docs" / "operations.md").read_text()))
    for one in raw["panels"]:
        for target in one["targets"]:
            promql.parse(target["expr"])
            for metric in re.findall(r"trinch_\w+", target["expr"]):
                assert metric.removesuffix("_bucket") in documented, metric


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name
)
def test_the_workflows_of_github(path: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = re.findall(r"\bmake ([a-z-]+)", path.read_text())
    assert set(called) <= targets


def test_the_hooks_of_pre_commit() -> None:
    client = pytest.importorskip("pre_commit.clientlib", reason="pre-commit is not installed")
    (repository,) = client.load_config(str(ROOT / ".pre-commit-config.yaml"))["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == ["ruff-format", "ruff-check"]
