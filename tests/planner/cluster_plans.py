"""Plans for the tests: one realistic, and a strategy of many layouts."""

from dataclasses import replace

from hypothesis import strategies as st

from trinch.planner.perf.hardware import machine
from trinch.planner.perf.layout import OFFLOADS, Layout, Plan, last_stage_layers
from trinch.planner.perf.models import workload

MODELS = (
    "grok-1",
    "grok-2",
    "llama-3-70b",
    "llama-3-405b",
    "deepseek-v3",
    "gpt-3-175b",
    "mixtral-8x7b",
    "nemotron-4-340b",
    "qwen3-30b-a3b",
    "qwen3-8b",
    "gpt-oss-120b",
)
BREAKDOWN = {"matrix_multiplications": 0.62, "attention": 0.1, "bubble": 0.12, "communication": 0.16}
MEMORY = {"weights": 12.0, "gradients": 12.0, "optimizer": 6.0, "activations": 30.0}


def plan(
    layout: Layout, model: str = "grok-1", gpu: str = "h100", site: str | None = "oci", **changed: object
) -> Plan:
    """A plan of that layout with a made-up price; `changed` replaces fields."""
    step = float(changed.pop("step_time_s", 12.0))  # type: ignore[arg-type]
    made = Plan(
        workload=workload(model),
        machine=machine(gpu, site),
        layout=layout,
        precision="bf16",
        tokens=10e12,
        n_gpus=layout.gpus,
        spare_gpus=64,
        step_time_s=step,
        band_s=(0.93 * step, 1.08 * step),
        breakdown_s={name: share * step for name, share in BREAKDOWN.items()},
        memory_gb=dict(MEMORY),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def grok(**changed: object) -> Plan:
    """Grok-1 on 16,128 H100 at Oracle's, 8 spare nodes."""
    cut = Layout(
        tp=8, pp=8, vpp=4, dp=252, ep=4, etp=1, micro_batch=1, global_batch=2016, zero=1, recompute=1
    )
    return plan(cut, **changed)  # type: ignore[arg-type]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans of every kind of layout whose GPUs fill whole nodes."""
    model = draw(st.sampled_from(MODELS))
    work = workload(model)
    site, gpu = draw(st.sampled_from([("oci", "h100"), ("oci", "h200"), ("oci", "gb200"), (None, "b200")]))
    tp = draw(st.sampled_from([t for t in (1, 2, 4, 8) if work.heads % t == 0]))
    cp = draw(st.sampled_from([1, 2]))
    pp, vpp = draw(st.sampled_from(pipelines(work.layers)))
    dp = 8 * draw(st.integers(1, 157))
    micro = draw(st.sampled_from([1, 2]))
    cut = Layout(
        tp=tp,
        pp=pp,
        vpp=vpp,
        dp=dp,
        cp=cp,
        ep=draw(st.sampled_from([1, 2, 4, 8])) if work.experts else 1,
        etp=1,
        micro_batch=micro,
        global_batch=dp * micro * draw(st.integers(1, 4)) * pp,
        zero=draw(st.integers(0, 3)) if pp == 1 else draw(st.integers(0, 1)),
        sequence_parallel=int(tp > 1),
        recompute=draw(st.integers(0, 2)),
    )
    cut = replace(
        cut, offload=draw(st.sampled_from([0, 0, OFFLOADS.index("optimizer")])) if cut.zero <= 1 else 0
    )
    precision = draw(st.sampled_from(["bf16", "fp8"]))
    gradients = draw(st.sampled_from([2.0, 4.0]))
    spares = 8 * draw(st.integers(0, 40))
    sends = draw(st.sampled_from(["alltoall", "deepep"]))
    return plan(
        cut,
        model,
        gpu,
        site,
        precision=precision,
        spare_gpus=spares,
        gradient_bytes=gradients,
        dispatcher=sends,
    )


def pipelines(layers: int) -> list[tuple[int, int]]:
    """(stages, interleaving) that divide the layers, as they are or with embedding and loss counted as two."""
    return [
        (pp, vpp)
        for pp in (1, 2, 4, 8, 16)
        for vpp in ((1, 2, 4) if pp > 1 else (1,))
        if layers % (pp * vpp) == 0
        or (pp > 1 and (layers + 2) % (pp * vpp) == 0)
        or (vpp == 1 and last_stage_layers(layers, pp) > 0)
    ]
