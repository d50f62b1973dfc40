"""One model over many processes: pipeline x replicate x shard x expert x tensor.

The sharding itself is PyTorch's: `fully_shard` (FSDP2), tensor-parallel styles over DTensor; expert
parallelism is in `experts.py`, vocabulary parallelism in `vocabulary_parallel.py`, pipelining in `pipeline.py`. With one process nothing is wrapped and
nothing is sent.

Two meshes name the same processes: `dense` (pipeline, replicate, fsdp, tensor), over which all but the
experts is laid out, and `sparse` (pipeline, replicate, shard, expert, tensor), for the experts; fsdp = shard
x expert.
"""

import os
import zlib
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import PrefixStore
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.rendezvous import rendezvous
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from trinch.model.config import GrokConfig
from trinch.model.grok import Block, Experts, Grok
from trinch.training.experts import parallelize_experts
from trinch.training.settings import Mesh, Settings, SettingsError
from trinch.training.vocabulary_parallel import parallelize_vocabulary

T = TypeVar("T")
COLUMNS = ("attn.q_proj", "attn.k_proj", "attn.v_proj", "mlp.gate_proj", "mlp.up_proj")
ROWS = ("attn.o_proj", "mlp.down_proj")


@dataclass(frozen=True)
class ProcessMesh:
    """The processes of a run as a device mesh, and this process's place in it."""

    shape: Mesh
    device: torch.device
    rank: int = 0
    size: int = 1
    dense: DeviceMesh | None = None
    sparse: DeviceMesh | None = None

    @property
    def stage_count(self) -> int:
        """Stages of the whole pipeline."""
        return self.shape.pipeline * self.shape.stages_each

    @property
    def stages(self) -> list[int]:
        """The stages of the pipeline that this process runs, in their order."""
        mine = self.dense.get_local_rank("pipeline") if self.dense else 0
        return [stage for stage in range(self.stage_count) if self.pipeline_rank(stage) == mine]

    def pipeline_rank(self, stage: int) -> int:
        """Which process of a pipeline runs a stage: one after another in turns, or there and back (a V)."""
        turn, place = divmod(stage, self.shape.pipeline)
        back = self.shape.schedule == "zero-bubble-v" and turn == 1
        return self.shape.pipeline - 1 - place if back else place

    @property
    def data_rank(self) -> int:
        """Which part of a batch this process reads, of `shape.data_ways`."""
        if self.dense is None:
            return 0
        fsdp = self.dense.get_local_rank("fsdp")
        return int(self.dense.get_local_rank("replicate") * self.dense["fsdp"].size() + fsdp)

    @property
    def first(self) -> bool:
        """Whether the tokens go in here."""
        return 0 in self.stages

    @property
    def last(self) -> bool:
        """Whether the logits come out here."""
        return self.stage_count - 1 in self.stages

    def sum(self, *values: float) -> list[float]:
        """Sums over all processes; float64, so that the order of adding does not show. On the host: no GPU waits."""
        if self.dense is None:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return total.tolist()

    def sum_on_device(self, values: Tensor) -> Tensor:
        """Sums over all processes of a tensor on the model's device, which the host does not wait for."""
        if self.dense is not None:
            dist.all_reduce(values)
        return values

    def broadcast(self, thing: T) -> T:
        """The lead process's value, sent to all."""
        if self.dense is None:
            return thing
        box = [thing]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def close(self) -> None:
        """Leave the process group."""
        if dist.is_initialized():
            dist.destroy_process_group()


def start(settings: Settings) -> ProcessMesh:
    """Join the processes that `torchrun` started, or be alone. Raises SettingsError when the mesh does not
    fit."""
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    cuda = settings.device == "cuda" or (not settings.device and torch.cuda.is_available())
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    shape = settings.mesh.filled(size)
    if cuda and not torch.cuda.is_available():
        raise SettingsError(
            "device is cuda, and PyTorch finds no GPU here; leave device out to train on the processor"
        )
    if cuda:
        torch.cuda.set_device(device)
        if settings.dtype == "bfloat16":  # attention stays fp32 there too: TF32 makes that cheap
            torch.set_float32_matmul_precision("high")
    if size == 1:
        return ProcessMesh(shape, device)
    if not dist.is_initialized():
        _join(cuda)
    dense, sparse = device_meshes(device.type, shape, size)
    return ProcessMesh(shape, device, rank, size, dense, sparse)


def device_meshes(kind: str, shape: Mesh, size: int) -> tuple[DeviceMesh, DeviceMesh]:
    """The meshes `dense` and `sparse` over the default process group."""
    world = init_device_mesh(kind, (size,), mesh_dim_names=("world",))
    pipeline, replicate, shard, expert, tensor = (
        shape.pipeline,
        shape.replicate,
        shape.shard,
        shape.expert,
        shape.tensor,
    )
    dense = world._unflatten(
        0, (pipeline, replicate, shard * expert, tensor), ("pipeline", "replicate", "fsdp", "tensor")
    )
    sparse = world._unflatten(
        0,
        (pipeline, replicate, shard, expert, tensor),
        ("pipeline", "replicate", "shard", "expert", "tensor"),
    )
    return dense, sparse


def _join(cuda: bool) -> None:
    """Start the default group. Checkpoints are gathered over gloo while training uses nccl."""
    store, rank, size = next(iter(rendezvous("env://")))
    # Torch 2.13 gives workers restarted on a node the store of the attempt before, addresses of dead
    # processes in it (they hang or fail on connecting); a prefix hides those. Over several nodes the count of
    # restarts is not common to all: there TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 gives a new store (see
    # `launch`).
    if os.environ.get("GROUP_WORLD_SIZE", "1") == "1":
        store = PrefixStore("attempt-" + os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timedelta(minutes=30))


def check_layout(config: GrokConfig, shape: Mesh, settings: Settings) -> None:
    """Raise SettingsError where this model or batch cannot be split that way."""
    wanted = [
        (
            "mesh.pipeline x mesh.stages",
            shape.pipeline * shape.stages_each,
            config.num_layers,
            "layers",
            False,
        ),
        ("mesh.expert", shape.expert, config.num_experts, "experts", True),
        ("mesh.tensor", shape.tensor, config.num_kv_heads, "key-value heads", True),
        ("mesh.tensor", shape.tensor, config.moe_intermediate_size, "expert width", True),
        ("mesh (replicate x shard x expert)", shape.data_ways, settings.batch, "sequences a step", True),
        ("mesh.shard x mesh.expert", shape.shard * shape.expert, config.hidden_size, "model width", True),
    ]
    for name, ways, whole, what, divides in wanted:
        if ways > whole or (divides and whole % ways):
            raise SettingsError(f"{name} is {ways}, which does not split {whole} {what}")
    if settings.compile and shape.schedule.startswith("zero-bubble"):
        raise SettingsError(f"compile does not work with mesh.schedule {shape.schedule}: leave one out")


def stage_layers(layers: int, stages: int, stage: int) -> range:
    """The layers of a stage, as even as can be; the first stages take what is over."""
    each, over = divmod(layers, stages)
    begin = stage * each + min(stage, over)
    return range(begin, begin + each + (stage < over))


def build(config: GrokConfig, world: ProcessMesh, settings: Settings) -> dict[int, Grok]:
    """This process's stages by number, laid out and with their initial weights, equal on every layout."""
    stages = lay_out(config, world, settings)
    for stage in stages.values():
        stage.to_empty(device=world.device)
    initialise(joined(stages), settings.seed)
    return stages


def joined(stages: dict[int, Grok]) -> Grok:
    """One module with all parameters of some stages, under the names they have in the whole model.

    A tied table that both the first and the last stage hold is the first's (see `Pipeline`).
    """
    if len(stages) == 1:
        return next(iter(stages.values()))
    parts = list(stages.values())
    with torch.device("meta"):
        model = Grok(replace(parts[0].config, num_layers=0), parts[0].dtype)
    model.config = parts[0].config
    model.layers = nn.ModuleDict({name: block for part in parts for name, block in part.layers.items()})
    model.embed_tokens = next((p.embed_tokens for p in parts if p.embed_tokens is not None), None)
    model.norm, model.lm_head = parts[-1].norm, parts[-1].lm_head
    return model


def lay_out(config: GrokConfig, world: ProcessMesh, settings: Settings) -> dict[int, Grok]:
    """This process's stages by number, on the meta device: shapes and layout without memory."""
    return {stage: _lay_out_stage(config, world, settings, stage) for stage in world.stages}


def _lay_out_stage(config: GrokConfig, world: ProcessMesh, settings: Settings, stage: int) -> Grok:
    shape, last = world.shape, stage == world.stage_count - 1
    with torch.device("meta"):
        model = Grok(config, dtype=getattr(torch, settings.dtype))
    for i in set(range(config.num_layers)) - set(stage_layers(config.num_layers, world.stage_count, stage)):
        del model.layers[str(i)]
    if not last:
        model.norm, model.lm_head = None, None
    if stage and not (last and config.tie_embeddings):
        model.embed_tokens = None
    if world.dense is not None and world.sparse is not None:
        if shape.tensor > 1:
            _tensor_parallel(model, world.dense["tensor"])
        parallelize_experts(model, world.sparse, shape)
    for block in model.layers.values():
        cast(Block, block).recompute = settings.recompute
        cast(Block, block).compiled = settings.compile
    if world.dense is not None and world.sparse is not None:
        _shard(model, world.dense, world.sparse, settings)
    return model


def _tensor_parallel(model: Grok, mesh: DeviceMesh) -> None:
    """Split heads, dense MLP width and vocabulary over the mesh; norms and router are whole everywhere."""
    parallelize_vocabulary(model, mesh)
    for block in model.layers.values():
        plan = {name: ColwiseParallel() for name in COLUMNS} | {name: RowwiseParallel() for name in ROWS}
        here = {name for name, _ in block.named_modules()}
        parallelize_module(block, mesh, {name: style for name, style in plan.items() if name in here})


def shard_dimension(ways: int, parameter: nn.Parameter) -> Shard:
    """The dimension of a parameter to shard that many ways: the first that divides evenly.

    Dimensions that tensor or expert parallelism has split already are left alone. Where none divides evenly it is the
    first that is left, of which some processes then hold less (FSDP2 shards other dimensions evenly only).
    """
    taken = (
        {p.dim for p in parameter.placements if isinstance(p, Shard)}
        if isinstance(parameter, DTensor)
        else set()
    )
    free = [d for d in range(parameter.ndim) if d not in taken]
    return Shard(next((d for d in free if parameter.shape[d] % ways == 0), free[0]))


def _shard(model: Grok, dense: DeviceMesh, sparse: DeviceMesh, settings: Settings) -> None:
    """FSDP2: experts over `shard`, the rest over shard x expert, `replicate` as whole copies of that.

    Gradients are summed, never averaged: the loss is already divided by the global number of tokens. In
    bfloat16 the experts, nearly all of a Grok, are gathered in bfloat16; norms and router in float32. A pipeline keeps
    gathered weights for all micro-batches of a step.
    """
    kept = False if settings.mesh.pipeline > 1 else None
    wrap = partial(fully_shard, reshard_after_forward=kept)
    dense_dimension = partial(shard_dimension, dense["fsdp"].size())
    low = torch.bfloat16 if settings.dtype == "bfloat16" else None
    policy = MixedPrecisionPolicy(param_dtype=low, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for block in model.layers.values():
        for module in block.modules():
            if isinstance(module, Experts):
                wrap(
                    module,
                    mesh=sparse["replicate", "shard"],
                    mp_policy=policy if low else MixedPrecisionPolicy(),
                    shard_placement_fn=partial(shard_dimension, sparse["shard"].size()),
                )
        wrap(block, mesh=dense["replicate", "fsdp"], shard_placement_fn=dense_dimension)
    wrap(model, mesh=dense["replicate", "fsdp"], shard_placement_fn=dense_dimension)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


@torch.no_grad()
def initialise(model: nn.Module, seed: int) -> None:
    """Norms 1, all else normal with deviation fan_in ** -0.5; each parameter from its own name and the seed.

    Every process draws the whole parameter, one at a time, and keeps its part: so weights do not depend on
    the layout, and no process ever holds more than one whole parameter.
    """
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            parameter.fill_(1.0)
            continue
        generator = torch.Generator(parameter.device).manual_seed((seed << 32) ^ zlib.crc32(name.encode()))
        whole = torch.empty(parameter.shape, device=parameter.device, dtype=parameter.dtype)
        whole.normal_(std=parameter.shape[1] ** -0.5, generator=generator)
        if isinstance(parameter, DTensor):
            whole = distribute_tensor(whole, parameter.device_mesh, parameter.placements, src_data_rank=None)
        parameter.copy_(whole)


def norm_shares(model: Grok, world: ProcessMesh) -> list[tuple[nn.Parameter, float]]:
    """Each parameter with the part this process counts of it (see `optim.clip`)."""
    peers = world.size // world.shape.pipeline
    out = []
    for name, parameter in model.named_parameters():
        part = 1.0
        if isinstance(parameter, DTensor):
            shards = 1
            for size, placement in zip(parameter.device_mesh.shape, parameter.placements, strict=True):
                shards *= size if placement.is_shard() else 1
            part = shards / peers
        if name == "embed_tokens.weight" and not world.first:
            part = 0.0  # a tied table, counted on the first stage
        out.append((parameter, part))
    return out
