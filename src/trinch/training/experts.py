"""Expert and expert-tensor parallelism: rows are exchanged with the processes that hold their experts.

The weights [E, in, out] are sharded over experts on the mesh's `expert` dimension and over the experts' width
on its `tensor` dimension.
"""

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from trinch.model.grok import Experts, MoE, run_experts
from trinch.training.settings import Mesh

WIDTH = {"gate": 2, "up": 2, "down": 1}
"""Dimension of each weight that is the experts' own width."""


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


def _all_rows(x: Tensor, group: Any) -> Tensor:
    out = x.new_empty(dist.get_world_size(group) * len(x), *x.shape[1:])
    dist.all_gather_single(out, x.contiguous(), group=group)
    return out


def _sum_of_rows(x: Tensor, group: Any) -> Tensor:
    out = x.new_empty(len(x) // dist.get_world_size(group), *x.shape[1:])
    dist.reduce_scatter_single(out, x.contiguous(), group=group)
    return out


class _GatherRows(torch.autograd.Function):
    """Rows of all processes of a group; gradients are summed and go back to where the rows came from."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        return _all_rows(x, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _sum_of_rows(gradients[0], ctx.group), None


class _ScatterRows(torch.autograd.Function):
    """The sum over a group of its processes' rows, each process getting its own; gradients go to all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        return _sum_of_rows(x, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _all_rows(gradients[0], ctx.group), None


class _CopyToGroup(torch.autograd.Function):
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


class _ReduceFromGroup(torch.autograd.Function):
    """Sum over the group; its gradient passes unchanged: out of a product split by rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        out = x.clone()
        dist.all_reduce(out, group=group)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def copy_to_group(x: Tensor, group: Any) -> Tensor:
    """x; its gradient is summed over the group."""
    return cast(Tensor, _CopyToGroup.apply(x, group))  # type: ignore[no-untyped-call]  # torch's


def reduce_from_group(x: Tensor, group: Any) -> Tensor:
    """The sum of x over the group; its gradient passes unchanged."""
    return cast(Tensor, _ReduceFromGroup.apply(x, group))  # type: ignore[no-untyped-call]  # torch's


class ParallelExperts(Experts):
    """`Experts` whose weights are sharded over processes: rows go to their experts' process and come back."""

    def __init__(self, whole: Experts, mesh: DeviceMesh, names: list[str], gather: bool = False) -> None:
        """Take over the weights of `whole`, sharded over the dimensions `names` of the mesh. `gather`: every process of an
        expert group sees all rows of the group."""
        nn.Module.__init__(self)
        self.gathers = gather
        self._expert = mesh.get_group("expert") if "expert" in names else None
        self._tensor = mesh.get_group("tensor") if "tensor" in names else None
        for name, parameter in whole.named_parameters():
            places = [Shard(0) if n == "expert" else Shard(WIDTH[name]) for n in names]
            local = distribute_tensor(parameter, mesh[tuple(names)], places, src_data_rank=None)
            self.register_parameter(name, nn.Parameter(local))

    def forward(self, x: Tensor, counts: Tensor) -> Tensor:
        """As `Experts.forward`, of this process's rows."""
        if self._expert is None:
            return self._local_experts(x, counts)
        if self.gathers:
            return self._gathered(x, counts, self._expert)
        ways = dist.get_world_size(self._expert)
        arriving = torch.empty_like(counts)
        dist.all_to_all_single(arriving, counts, group=self._expert)
        arriving = arriving.view(ways, -1)  # [process, local expert]
        sent, received = torch.stack([counts.view(ways, -1).sum(1), arriving.sum(1)]).tolist()
        x = cast(Tensor, _Exchange.apply(x, sent, received, self._expert))  # type: ignore[no-untyped-call]  # torch's
        # Rows arrive by process; they are wanted by expert.
        local = torch.arange(arriving.shape[1], device=x.device).repeat(ways)
        order = local.repeat_interleave(arriving.flatten()).argsort(stable=True)
        back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=x.device))
        out = self._local_experts(x.index_select(0, order), arriving.sum(0)).index_select(0, back)
        return cast(Tensor, _Exchange.apply(out, received, sent, self._expert))  # type: ignore[no-untyped-call]  # torch's

    def _gathered(self, x: Tensor, counts: Tensor, group: Any) -> Tensor:
        """All rows of the group go through this process's experts, those of other experts uncounted; sums go back.

        Shapes do not depend on where rows are sent, so the host need not know.
        """
        ways, mine = dist.get_world_size(group), dist.get_rank(group)
        every = counts.new_empty(ways * len(counts))
        dist.all_gather_single(every, counts, group=group)
        every = every.view(ways, ways, -1)  # [process, owner, expert of the owner]
        rows = cast(Tensor, _GatherRows.apply(x, group))  # type: ignore[no-untyped-call]  # torch's
        experts = every.shape[-1]
        # Rows of each process are sorted by expert: expert e begins where the counts before it end.
        place = torch.arange(len(x), device=x.device).expand(ways, -1).contiguous()
        expert = torch.searchsorted(every.flatten(1).cumsum(1), place, right=True).flatten()
        local = expert - mine * experts
        here = (local >= 0) & (local < experts)
        order = local.masked_fill(~here, experts).argsort(stable=True)
        known = here.index_select(0, order)[:, None]
        sorted_rows = rows.index_select(0, order).masked_fill(~known, 0)
        out = self._local_experts(sorted_rows, every[:, mine].sum(0)).masked_fill(~known, 0)
        back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=x.device))
        return cast(Tensor, _ScatterRows.apply(out.index_select(0, back), group))  # type: ignore[no-untyped-call]  # torch's

    def _local_experts(self, x: Tensor, counts: Tensor) -> Tensor:
        weights = [cast(DTensor, p).to_local() for p in (self.gate, self.up, self.down)]
        if self._tensor is None:
            return run_experts(x, counts, *weights)
        partial = run_experts(copy_to_group(x, self._tensor), counts, *weights)
        return reduce_from_group(partial, self._tensor)


def parallelize_experts(model: nn.Module, mesh: DeviceMesh, shape: Mesh) -> None:
    """Replace every `Experts` of the model by its sharded form, where the layout splits experts."""
    names = [name for name in ("expert", "tensor") if getattr(shape, name) > 1]
    for module in list(model.modules()):
        if names and isinstance(module, MoE):
            module.experts = ParallelExperts(module.experts, mesh, names, shape.exchange == "gather")
