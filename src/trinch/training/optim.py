"""Optimizers: AdamW, Muon, the learning-rate schedule and clipping, equal on one process and on many.

Parameters may be plain tensors or DTensors of any mesh.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Shard

from trinch.training.settings import Optimizer as OptimizerSettings

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration, tuned for slope at zero (Jordan et al. 2024, "Muon")."""


def schedule(step: int, steps: int, settings: OptimizerSettings) -> float:
    """Factor on the peak rate at step 0..steps-1: linear warm-up, stable, linear decay (WSD,
    arXiv:2404.06395)."""
    rise = (step + 1) / (settings.warmup + 1) if step < settings.warmup else 1.0
    decay = round(settings.decay * steps)
    left = steps - step
    fall = settings.floor + (1 - settings.floor) * left / (decay + 1) if left <= decay else 1.0
    return min(rise, fall)


def orthogonalise(x: Tensor, rounds: int = 5) -> Tensor:
    """Nearest semi-orthogonal matrix to x [..., m, n], roughly (singular values in 0.7..1.2), by
    Newton-Schulz.

    Leading dimensions are a batch, so stacked experts [E, in, out] are done at once.
    """
    a, b, c = NEWTON_SCHULZ
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonalised: Muon (Jordan et al. 2024) for matrices and stacks of matrices.

    The update is scaled by 0.2 * sqrt(max(m, n)), so that its size is that of AdamW's and both share one rate
    and decay (Moonlight, arXiv:2502.16982). Sharded matrices are distributed whole over the processes that share
    them: each iterates on its part of the matrices, and none is done twice.
    """

    def __init__(self, params: Any, lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure is ever used
        for group in self.param_groups:
            for parameters in _alike(group["params"]):
                updates = orthogonal_updates(
                    [self._momentum_update(p, group["momentum"]) for p in parameters]
                )
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    size = 0.2 * max(parameter.shape[-2:]) ** 0.5
                    _local(parameter).add_(update.to(parameter.dtype), alpha=-group["lr"] * size)

    def _momentum_update(self, parameter: Tensor, beta: float) -> Tensor:
        """Nesterov momentum; laid out like the parameter."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"]
        momentum.lerp_(parameter.grad, 1 - beta)
        return parameter.grad.lerp(momentum, beta)


def _local(x: Tensor) -> Tensor:
    return x.to_local() if isinstance(x, DTensor) else x


def _alike(parameters: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Parameters with a gradient, in groups of one shape and layout with at least a matrix for each process."""
    groups: dict[Any, list[Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is None:
            continue
        layout = (parameter.device_mesh, parameter.placements) if isinstance(parameter, DTensor) else ()
        group = groups.setdefault((tuple(parameter.shape), layout), [])
        group.append(parameter)
        matrices = len(group) * (parameter.shape[0] if parameter.ndim > 2 else 1)
        if not isinstance(parameter, DTensor) or matrices >= parameter.device_mesh.size():
            yield group.copy()
            group.clear()
    yield from (group for group in groups.values() if group)


def orthogonal_updates(updates: list[Tensor]) -> list[Tensor]:
    """This process's part of each update, orthogonalised. They share one shape and layout, [m, n] or [E, m, n].

    The matrices become one stack, of which every process gets some whole (an all-to-all), iterates on those, and
    sends the parts back. Over mesh dimensions that split a stack of experts they are whole already.
    """
    first = updates[0]
    stack = torch.cat([_local(x) if x.ndim > 2 else _local(x)[None] for x in updates])
    low = stack.to(torch.bfloat16) if stack.is_cuda else stack
    if not isinstance(first, DTensor):
        return _split(orthogonalise(low), first.ndim, len(updates))
    shift = 3 - first.ndim
    names = first.device_mesh.mesh_dim_names
    assert names is not None, "meshes of a run have named dimensions"
    kept = [(n, p) for n, p in zip(names, first.placements, strict=True) if shift or not p.is_shard(0)]
    if not kept:
        return _split(orthogonalise(low), first.ndim, len(updates))
    mesh = first.device_mesh[tuple(n for n, _ in kept)]
    places = [Shard(p.dim + shift) if isinstance(p, Shard) else p for _, p in kept]
    shape = torch.Size([len(stack), *first.shape[-2:]])
    stride = (shape[1] * shape[2], shape[2], 1)
    whole = [Shard(0)] * mesh.ndim
    spread = DTensor.from_local(low, mesh, places, run_check=False, shape=shape, stride=stride)
    mine = orthogonalise(spread.redistribute(placements=whole).to_local())
    done = DTensor.from_local(mine, mesh, whole, run_check=False, shape=shape, stride=stride)
    return _split(done.redistribute(placements=places).to_local(), first.ndim, len(updates))


def _split(stack: Tensor, ndim: int, count: int) -> list[Tensor]:
    """The updates that make up a stack of matrices."""
    return [part if ndim > 2 else part[0] for part in stack.chunk(count)]


def build_optimizers(model: nn.Module, settings: OptimizerSettings) -> list[torch.optim.Optimizer]:
    """AdamW, and Muon first where it is asked for and there are matrices for it."""
    groups: dict[tuple[bool, float, Any], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        matrix = parameter.ndim > 1
        muon = settings.name == "muon" and matrix and name.startswith("layers.") and ".router." not in name
        # DTensors of different meshes do not mix in one fused call.
        mesh = parameter.device_mesh if isinstance(parameter, DTensor) else None
        groups.setdefault((muon, settings.weight_decay if matrix else 0.0, mesh), []).append(parameter)

    muon_lr = settings.muon_lr or settings.lr

    def of(muon: bool) -> list[dict[str, Any]]:
        peak = muon_lr if muon else settings.lr
        return [
            {"params": p, "weight_decay": decay, "peak_lr": peak}
            for (m, decay, _), p in groups.items()
            if m is muon
        ]

    out: list[torch.optim.Optimizer] = []
    if of(True):
        out.append(Muon(of(True), muon_lr, settings.momentum, settings.weight_decay))
    if of(False):
        betas = (settings.beta1, settings.beta2)
        out.append(torch.optim.AdamW(of(False), settings.lr, betas=betas, eps=settings.eps, fused=True))
    for optimizer in out:
        _prime(optimizer)
    return out


def _prime(optimizer: torch.optim.Optimizer) -> None:
    """Make the state that a first step would make, so that a checkpoint has somewhere to be loaded to."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            if isinstance(optimizer, Muon):
                optimizer.state[p] = {"momentum": torch.zeros_like(p)}
            else:
                moments = {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
                optimizer.state[p] = {
                    "step": torch.zeros((), dtype=torch.float32, device=p.device),
                    **moments,
                }


def optimizer_state(model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Every tensor of the optimizers' state under "<parameter's name>.<what>": the same on every layout."""
    state = {}
    for name, parameter in model.named_parameters():
        for optimizer in optimizers:
            for key, value in optimizer.state.get(parameter, {}).items():
                state[f"{name}.{key}"] = value
    return state


def set_rate(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's rate to its peak times the schedule's factor."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak_lr"] * factor


@torch.no_grad()
def clip(parameters: Iterable[tuple[nn.Parameter, float]], limit: float) -> Tensor:
    """Scale all gradients so that their global norm is at most `limit` (0: do not); returns the norm before, a scalar on
    the model's device that the host has not waited for.

    Each parameter comes with the part of it that this process is to count: the parts of all processes sum to
    1 for every element, so that one all-reduce gives the exact norm on any layout.
    """
    gradients = [(p.grad, part) for p, part in parameters if p.grad is not None]
    locals_ = [(g.to_local() if isinstance(g, DTensor) else g, part) for g, part in gradients]
    device = locals_[0][0].device if locals_ else torch.device("cpu")
    total = torch.zeros((), dtype=torch.float64, device=device)
    for gradient, part in locals_:
        total += gradient.float().square().sum().double() * part
    if dist.is_initialized():
        dist.all_reduce(total)
    norm = total.sqrt()
    if limit:
        factor = (limit / (norm + 1e-6)).clamp(max=1.0).float()
        for gradient, _ in locals_:
            gradient.mul_(factor)
    return norm
