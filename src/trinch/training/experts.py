"""Expert and expert-tensor parallelism: tokens travel to the processes that hold their experts, and back.

Owns the exchange around `Experts.forward` and the layout of expert weights. Does not know routers or losses.
The weights [E, in, out] are sharded over experts on the mesh's `expert` dimension and over the experts' width
on its `tensor` dimension.
"""

from typing import Any, NamedTuple, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from trinch.model.grok import Experts
from trinch.training.settings import Mesh

WIDTH = {"gate": 2, "up": 2, "down": 1}
"""Dimension of each weight that is the experts' own width."""


class Weights(NamedTuple):
    """This process's shards, in the place of the module's own weights."""

    gate: Tensor
    up: Tensor
    down: Tensor

    def __call__(self, x: Tensor, counts: Tensor) -> Tensor:
        """The arithmetic of `Experts.forward` with these weights."""
        return Experts.forward(cast(Experts, self), x, counts)


class _Exchange(torch.autograd.Function):
    """Send `sent[i]` rows to process i, receive `received[i]` from it; gradients go the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sent: list[int], received: list[int], group: Any) -> Tensor:
        ctx.sizes, ctx.group = (sent, received), group
        out = x.new_empty(sum(received), *x.shape[1:])
        dist.all_to_all_single(out, x.contiguous(), received, sent, group=group)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = gradients
        sent, received = ctx.sizes
        out = gradient.new_empty(sum(sent), *gradient.shape[1:])
        dist.all_to_all_single(out, gradient.contiguous(), sent, received, group=ctx.group)
        return out, None, None, None


class _Spread(torch.autograd.Function):
    """Identity; its gradient is summed over the group: into a product split by columns."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].clone()
        dist.all_reduce(gradient, group=ctx.group)
        return gradient, None


class _Gather(torch.autograd.Function):
    """Sum over the group; its gradient passes unchanged: out of a product split by rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        out = x.clone()
        dist.all_reduce(out, group=group)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def parallelize_experts(model: nn.Module, mesh: DeviceMesh, shape: Mesh) -> None:
    """Lay out the weights of every `Experts` in the model and put the exchange around its forward pass."""
    names = [name for name in ("expert", "tensor") if getattr(shape, name) > 1]
    if not names:
        return
    here = mesh[tuple(names)]
    groups = {name: mesh.get_group(name) for name in names}
    for module in model.modules():
        if isinstance(module, Experts):
            for name, parameter in list(module.named_parameters()):
                places = [Shard(0) if n == "expert" else Shard(WIDTH[name]) for n in names]
                local = distribute_tensor(parameter, here, places, src_data_rank=None)
                module.register_parameter(name, nn.Parameter(local))
            module.forward = _forward(module, groups)  # type: ignore[method-assign]


def _forward(module: Experts, groups: dict[str, Any]) -> Any:
    expert, tensor = groups.get("expert"), groups.get("tensor")

    def forward(x: Tensor, counts: Tensor) -> Tensor:
        weights = Weights(*(cast(DTensor, p).to_local() for p in (module.gate, module.up, module.down)))
        if expert is None:
            return compute(x, counts, weights)
        ways = dist.get_world_size(expert)
        arriving = torch.empty_like(counts)
        dist.all_to_all_single(arriving, counts, group=expert)
        arriving = arriving.view(ways, -1)  # [process, local expert]
        sent, received = counts.view(ways, -1).sum(1).tolist(), arriving.sum(1).tolist()
        x = cast(Tensor, _Exchange.apply(x, sent, received, expert))  # type: ignore[no-untyped-call]  # torch's
        # Rows arrive by process; they are wanted by expert.
        local = torch.arange(arriving.shape[1], device=x.device).repeat(ways)
        order = local.repeat_interleave(arriving.flatten()).argsort(stable=True)
        back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=x.device))
        out = compute(x.index_select(0, order), arriving.sum(0), weights).index_select(0, back)
        return cast(Tensor, _Exchange.apply(out, received, sent, expert))  # type: ignore[no-untyped-call]  # torch's

    def compute(x: Tensor, counts: Tensor, weights: Weights) -> Tensor:
        if tensor is None:
            return weights(x, counts)
        x = cast(Tensor, _Spread.apply(x, tensor))  # type: ignore[no-untyped-call]  # torch's
        return cast(Tensor, _Gather.apply(weights(x, counts), tensor))  # type: ignore[no-untyped-call]  # torch's

    return forward
