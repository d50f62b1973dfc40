"""`/v1/plan` over HTTP: estimates, bad input, its CPU budget, the report."""

import json
from typing import Any

import httpx
import pytest

from trinch.server.api.plan import SCHEMA

GROK = {"model": "grok-1", "gpus": 20_000, "tokens": "10T"}
OLMO = {
    "model_type": "olmo3",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "intermediate_size": 11008,
    "vocab_size": 100_278,
}


def _plan(http: httpx.Client, **asked: Any) -> dict[str, Any]:
    found = http.post("/v1/plan", json=asked)
    assert found.status_code == 200, found.text
    answer: dict[str, Any] = found.json()
    return answer


def test_a_plan_is_what_the_schema_says(http: httpx.Client) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema: pip install 'trinch[clients]'")
    for asked in (GROK, {"model": "grok-1", "gpus": 20_000, "days": 90}):
        jsonschema.validate(_plan(http, **asked), SCHEMA)


def test_a_plan_has_all_that_is_documented(http: httpx.Client) -> None:
    found = _plan(http, **GROK)
    plan = found["plan"]
    assert plan["n_gpus"] + plan["spare_gpus"] == 20_000
    assert plan["memory_gb"] < plan["memory_limit_gb"]
    assert plan["band_s"][0] < plan["step_time_s"] < plan["band_s"][1]
    assert plan["mfu_band"][0] < plan["mfu"] < plan["mfu_band"][1]
    assert found["days"]["p50"] * found["failures"]["ettr"]["p50"] == pytest.approx(plan["days"])
    usd = [way["usd"] for way in found["cost"]["ways"]]
    assert usd == sorted(usd)
    assert len(usd) == 3


def test_each_input_moves_what_it_should(http: httpx.Client) -> None:
    base = _plan(http, **GROK)
    assert _plan(http, **GROK, pue=1.5)["power"]["site_mw"] > 1.2 * base["power"]["site_mw"]
    assert _plan(http, **GROK, mtbf_hours=10_000)["failures"]["ettr"]["p50"] < 0.8
    priced = _plan(http, **GROK, price=2.0)
    given = next(way for way in priced["cost"]["ways"] if way["how"] == "rent, given")
    assert given["usd"] == pytest.approx(2 * priced["cost"]["gpu_hours"])
    assert _plan(http, **GROK, nic_gbits=200)["plan"]["step_time_s"] > base["plan"]["step_time_s"]
    assert _plan(http, **GROK, batch=2496)["batch"]["sequences"] == 2496
    wanted = _plan(http, model="grok-1", gpus=20_000, days=90)
    assert wanted["days"]["p50"] == pytest.approx(90)
    assert wanted["tokens"] > 1e14
    assert not _plan(http, **GROK, limit_mw=10)["power"]["fits"]


def test_a_configuration_is_planned_with_its_nulls(http: httpx.Client) -> None:
    """A key that is null is not an absent one: the class default of OLMo 3's window is 4,096 positions."""
    asked = {"gpus": 64, "tokens": 1e12}
    assert _plan(http, config=OLMO, **asked)["model"]["window"] == 4096
    assert _plan(http, config=OLMO | {"sliding_window": None}, **asked)["model"]["window"] == 0
    assert _plan(http, config=OLMO, model="mine", **asked)["plan"]["model"] == "mine"


@pytest.mark.parametrize(
    ("asked", "param", "said"),
    [
        ({"gpus": 8, "tokens": 1e12}, "model", "give model"),
        ({"model": "grok-1", "gpus": 8}, "tokens", "give tokens or days"),
        (GROK | {"days": 3}, "tokens", "not both"),
        ({"model": "grok-1", "tokens": 1e12}, None, "gpus"),
        (GROK | {"gpus": 0}, "gpus", ">= 1"),
        (GROK | {"gpus": 64}, None, "128 GPUs work"),
        (GROK | {"model": "grok1"}, None, "did you mean grok-1"),
        (GROK | {"model": "/etc/passwd"}, None, "unknown model"),
        (GROK | {"model": "pyproject.toml"}, None, "unknown model"),
        (GROK | {"gpu": "h1000"}, None, "did you mean h100"),
        (GROK | {"nic_gbits": 123}, "nic_gbits", "200, 400, 800"),
        (GROK | {"tokens": "ten"}, "tokens", "is not a count"),
        (GROK | {"colour": "red"}, None, "colour"),
        (GROK | {"pue": 0.5}, "pue", ">= 1"),
        (GROK | {"mtbf_hours": 50}, None, "almost no progress"),
        ({"config": {"model_type": "mamba"}, "gpus": 8, "tokens": 1e12}, None, "state-space"),
        ({"config": OLMO | {"num_hidden_layers": 10**9}, "gpus": 8, "tokens": 1e12}, None, "num_hidden_layers"),
        ({"config": OLMO | {"rope_theta": "x"}, "gpus": 8, "tokens": 1e12}, None, "wrong kind"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_sentence(
    http: httpx.Client, asked: dict[str, Any], param: str | None, said: str
) -> None:
    found = http.post("/v1/plan", content=json.dumps(asked), headers={"Content-Type": "application/json"})
    assert found.status_code == 400, found.text
    error = found.json()["error"]
    assert said in error["message"]
    assert "--" not in error["message"]
    assert param in (None, error["param"])


def test_a_shape_made_to_be_slow_is_refused_or_stopped(http: httpx.Client) -> None:
    """5,040 layers and experts divide in thousands of ways; the batch has 240 divisors."""
    slow = OLMO | {"model_type": "mixtral", "num_hidden_layers": 5040, "num_attention_heads": 64}
    for config in (
        slow | {"num_local_experts": 5040, "num_experts_per_tok": 2},
        slow | {"num_local_experts": 64},
    ):
        asked = {"config": config, "gpus": 1_000_000, "tokens": 1e12, "gpu": "gb200", "batch": 720_720}
        found = http.post("/v1/plan", json=asked, timeout=60)
        assert found.status_code in (200, 400, 503)
    _plan(http, **GROK)


def test_the_report_is_the_page_of_the_command(http: httpx.Client) -> None:
    pytest.importorskip("matplotlib", reason="the report needs the extra plan")
    found = http.post("/v1/plan/report", json=GROK | {"gpus": 512, "tokens": 1e12}, timeout=120)
    assert found.status_code == 200, found.text
    assert found.headers["content-type"].startswith("text/html")
    assert "attachment" in found.headers["content-disposition"]
    assert "grok-1 on 512" in found.text
    assert "<script" not in found.text
    assert http.post("/v1/plan/report", json=GROK | {"gpus": 64}).status_code == 400
