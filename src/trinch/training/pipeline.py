"""A pipeline over processes: PyTorch's schedules run this process's stages, one or several.

The last stage returns normalised hidden states; its loss runs the head a chunk of tokens at a time.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from torch.distributed.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleInterleaved1F1B,
    ScheduleInterleavedZeroBubble,
    ScheduleZBVZeroBubble,
)
from torch.distributed.tensor import DTensor

from trinch.model.grok import Grok
from trinch.training.parallel import ProcessMesh
from trinch.training.settings import SettingsError

SCHEDULES: dict[str, Callable[..., Any]] = {
    "interleaved": ScheduleInterleaved1F1B,
    "zero-bubble": ScheduleInterleavedZeroBubble,
    "zero-bubble-v": ScheduleZBVZeroBubble,
}

HiddenLoss = Callable[[Tensor, Tensor], Tensor]
"""(normalised hidden states [b, T, D], targets [b, T]) -> this micro-batch's part of the loss."""


class Pipeline:
    """This process's stages of one model. Every process of the pipeline makes the same calls.

    Where one process holds both the first and the last stage of a model with tied embeddings, the last stage's table is
    a copy of the first's.
    """

    def __init__(
        self,
        stages: dict[int, Grok],
        world: ProcessMesh,
        parts: int,
        hidden: tuple[int, int, int],
        loss: HiddenLoss,
    ) -> None:
        """`parts` micro-batches a step, with hidden states of shape [b, T, D]."""
        assert world.dense is not None
        self._stages, self._world, self._hidden = stages, world, hidden
        self._group = world.dense.get_group("pipeline")
        if parts < world.shape.pipeline:
            raise SettingsError(
                f"a pipeline of {world.shape.pipeline} needs at least {world.shape.pipeline} micro-batches a step, "
                f"not {parts}: raise batch or lower micro_batch"
            )
        wrapped = [self._stage(number, model) for number, model in stages.items()]
        options: dict[str, Any] = {"loss_fn": loss, "scale_grads": False}
        try:
            self._schedule = (
                Schedule1F1B(wrapped[0], parts, **options)
                if world.shape.schedule == "1f1b"
                else SCHEDULES[world.shape.schedule](wrapped, parts, **options)
            )
        except ValueError as error:
            raise SettingsError(f"mesh.schedule {world.shape.schedule}: {error}") from None

    def accumulate(self, inputs: Tensor, targets: Tensor, documents: dict[str, Any]) -> None:
        """Add the gradients of a step's batch [rows, T] to the parameters of all stages."""
        self._copy_tied_table()
        self._schedule.step(
            *((inputs,) if self._world.first else ()),
            target=targets if self._world.last else None,
            losses=[],
            return_outputs=False,
            head=_hidden_states,
            **documents,
        )
        self._sum_tied_table()

    def evaluate(self, inputs: Tensor, targets: Tensor, documents: dict[str, Any], loss: HiddenLoss) -> None:
        """Forward only, of one micro-batch [b, T]; `loss` is called in the process of the last stage."""
        self._copy_tied_table()
        world, h = self._world, inputs
        for number, model in self._stages.items():
            if number and world.pipeline_rank(number - 1) != world.pipeline_rank(number):
                h = torch.empty(self._hidden, device=inputs.device)
                dist.recv(h, group=self._group, group_src=world.pipeline_rank(number - 1))
            h = model(h, head=_hidden_states, **documents)
            if number == world.stage_count - 1:
                loss(h, targets)
            elif world.pipeline_rank(number + 1) != world.pipeline_rank(number):
                dist.send(h, group=self._group, group_dst=world.pipeline_rank(number + 1))
            if isinstance(model, FSDPModule):
                _reshard(model)

    def _stage(self, number: int, model: Grok) -> PipelineStage:
        meta = torch.device("meta")
        hidden = torch.empty(self._hidden, device=meta).requires_grad_()
        return PipelineStage(
            model,
            number,
            self._world.stage_count,
            self._world.device,
            input_args=hidden if number else torch.empty(self._hidden[:2], dtype=torch.long, device=meta),
            output_args=hidden.detach().clone().requires_grad_(),
            group=self._group,
        )

    def _both(self) -> tuple[Tensor, Tensor] | None:
        """The tied table of the first and of the last stage, where this process holds both."""
        first, last = (self._stages.get(number) for number in (0, self._world.stage_count - 1))
        if first is None or last is None or not first.config.tie_embeddings:
            return None
        assert first.embed_tokens is not None
        assert last.embed_tokens is not None
        return first.embed_tokens.weight, last.embed_tokens.weight

    @torch.no_grad()
    def _copy_tied_table(self) -> None:
        if tables := self._both():
            tables[1].copy_(tables[0])

    @torch.no_grad()
    def _sum_tied_table(self) -> None:
        """The first and last stage hold one table between them: each adds the other's gradient to its own."""
        if tables := self._both():
            first, last = tables
            assert first.grad is not None
            assert last.grad is not None
            first.grad.add_(last.grad)
            last.grad = None
            return
        world = self._world
        held = self._stages.get(0) or self._stages.get(world.stage_count - 1)
        if held is None or held.embed_tokens is None or not held.config.tie_embeddings:
            return
        gradient = held.embed_tokens.weight.grad
        assert isinstance(gradient, DTensor)
        mine = gradient.to_local()
        theirs = torch.empty_like(mine)
        peer = world.pipeline_rank(world.stage_count - 1 if world.first else 0)
        ops = [
            dist.P2POp(dist.isend, mine, group=self._group, group_peer=peer),
            dist.P2POp(dist.irecv, theirs, group=self._group, group_peer=peer),
        ]
        for work in dist.batch_isend_irecv(ops):
            work.wait()
        mine.add_(theirs)


def _hidden_states(h: Tensor) -> Tensor:
    """In place of the head: the loss runs it."""
    return h


def _reshard(model: Grok) -> None:
    """Free gathered weights after a forward pass without a backward pass."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
