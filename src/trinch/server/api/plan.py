"""`/v1/plan`: a training run on a number of GPUs, estimated while one waits; its whole report as HTML."""

from typing import Annotated, Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.server.app_state import state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.server.workers.worker_pool import WorkerPool
from trinch.service import plan

Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
Name = Annotated[str, msgspec.Meta(max_length=100)]


class PlanRequest(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Body of /v1/plan: a model (a preset's name, or a Hugging Face configuration), GPUs, and tokens or days."""

    gpus: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    model: Name | None = None
    config: dict[str, Any] | None = None
    tokens: Annotated[float, msgspec.Meta(ge=1e6, le=1e18)] | Name | None = None
    days: Annotated[float, msgspec.Meta(gt=0, le=36_500)] | None = None
    gpu: Name | None = None
    site: Name | None = None
    nic_gbits: Positive | None = None
    precision: Literal["bf16", "fp8", "mxfp8", "nvfp4"] | None = None
    seq_len: Annotated[int, msgspec.Meta(ge=1, le=16_777_216)] | None = None
    batch: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    engine: Name | None = None
    software_date: Name | None = None
    fleet: Name | None = None
    mtbf_hours: Positive | None = None
    checkpoint: Literal["sync", "async", "memory"] | None = None
    store_gbps: Positive | None = None
    price: Annotated[float, msgspec.Meta(gt=0, lt=1e6)] | None = None
    electricity: Annotated[float, msgspec.Meta(ge=0, le=1e3)] | None = None
    pue: Annotated[float, msgspec.Meta(ge=1, le=100)] | None = None
    limit_mw: Annotated[float, msgspec.Meta(gt=0, le=1e6)] | None = None
    grid: Name | None = None


async def estimated(request: Request) -> Response:
    return codec.Json(await _run(state_of(request).plan_pool, plan.plan_json, request))


async def report(request: Request) -> Response:
    html = await _run(state_of(request).answer_pool, plan.plan_report, request)
    headers = {"Content-Disposition": 'attachment; filename="plan.html"'}
    return Response(html, media_type="text/html", headers=headers)


async def _run(pool: WorkerPool, work: Any, request: Request) -> Any:
    """`work(store, request as a dictionary)` in a worker. Raises Problem."""
    asked = msgspec.to_builtins(await codec.read_body(request, PlanRequest, keep_nulls=True))
    try:
        return await pool.run(work, asked)
    except plan.PlanRefused as error:
        raise Problem(400, error.message, param=error.param, code="cannot_plan") from None
    except plan.ReportMissing as error:
        raise Problem(501, str(error), code="not_installed") from None


def _shape(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(fields), "properties": fields}


def _each(shape: dict[str, Any], names: str) -> dict[str, Any]:
    """The same shape for each of the names."""
    return {name: shape for name in names.split()}  # noqa: C420 - a copy of the reference, never changed


_NUMBER, _TEXT, _WHOLE = {"type": "number"}, {"type": "string"}, {"type": "integer"}
_MAYBE = {"type": ["number", "null"]}
_NUMBERS = {"type": "object", "additionalProperties": _NUMBER}
_BAND = _shape(p10=_NUMBER, p50=_NUMBER, p90=_NUMBER)
_PAIR = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}

SCHEMA: dict[str, Any] = _shape(
    plan=_shape(
        layout={"type": "object", "additionalProperties": _WHOLE},
        unproven={"type": "array", "items": _TEXT},
        **_each(_TEXT, "model gpu site label precision engine dispatcher"),
        **_each(_WHOLE, "n_gpus spare_gpus nodes tokens_per_step"),
        **_each(_NUMBER, "step_time_s mfu tflops_per_gpu tokens_per_s_per_gpu memory_gb memory_limit_gb"),
        **_each(_NUMBER, "nic_gbits steps days"),
        **_each(_PAIR, "band_s mfu_band"),
        **_each(_NUMBERS, "breakdown_s memory_parts_gb"),
    ),
    model={"type": "object"},
    tokens=_NUMBER,
    batch=_shape(**_each(_NUMBER, "sequences of_critical extra_tokens")),
    idle_share=_NUMBER,
    days=_BAND,
    failures=_shape(
        ettr=_BAND,
        **_each(_TEXT, "fleet checkpoint restart"),
        **_each(_NUMBER, "mtbf_hours interruptions interval_s interval_steps"),
    ),
    power=_shape(
        fits={"type": "boolean"},
        **_each(
            _NUMBER, "site_mw site_low_mw site_high_mw peak_mw provision_mw energy_mwh carbon_tonnes pue"
        ),
        **_each(_MAYBE, "limit_mw gpus_within_limit"),
    ),
    cost=_shape(
        gpu_hours=_NUMBER,
        ways={"type": "array", "items": _shape(how=_TEXT, **_each(_NUMBER, "usd low high"))},
    ),
)
"""JSON schema of the response; what the fields mean is in docs/api.md."""

routes = [
    Route("/v1/plan", estimated, methods=["POST"]),
    Route("/v1/plan/report", report, methods=["POST"]),
]
