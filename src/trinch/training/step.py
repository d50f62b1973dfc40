"""Forward and backward pass of one step: in micro-batches, on one process, sharded, or through a pipeline.

The pipeline's schedule is PyTorch's one-forward-one-backward (1F1B).
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from torch.distributed.pipelining import PipelineStage, Schedule1F1B
from torch.distributed.tensor import DTensor

from trinch.model.grok import Grok
from trinch.training.chunked_loss import chunked_loss
from trinch.training.document_spans import EOS_TOKEN, PAD_TOKEN
from trinch.training.parallel import ProcessMesh
from trinch.training.settings import Settings, SettingsError

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logits [b, T, V], targets [b, T]) -> this micro-batch's part of the loss. It may keep a tally of its own. One with
`by_token` set is a sum over tokens, and is called with a chunk of the tokens at a time, b = 1."""


class Engine:
    """Runs batches of `rows` sequences (this process's share) through the model."""

    def __init__(self, model: Grok, world: ProcessMesh, settings: Settings, loss: Loss) -> None:
        self.model, self.world, self.loss = model, world, loss
        rows = settings.batch // world.shape.data_ways
        stages = world.shape.pipeline
        size = settings.micro_batch or (rows if stages == 1 else max(1, rows // 4))
        if rows % size:
            raise SettingsError(
                f"micro_batch is {size}, which does not divide a process's {rows} sequences a step"
            )
        self.size, self.parts, self._masked = size, rows // size, settings.documents == "mask"
        self._hidden = (size, settings.sequence, model.config.hidden_size)
        self._schedule: Schedule1F1B | None = None
        if stages > 1:
            if self.parts < stages:
                raise SettingsError(
                    f"a pipeline of {stages} needs at least {stages} micro-batches a step, not {self.parts}: "
                    f"raise batch or lower micro_batch"
                )
            self._schedule = self._pipeline(settings)

    def accumulate(self, inputs: Tensor, targets: Tensor) -> None:
        """Add the gradients of a step's batch [rows, T] to the parameters, reduced over processes."""
        if self._schedule is not None:
            # Every stage passes the targets; only the last one reads them.
            given = (inputs,) if self.world.first else ()
            self._schedule.step(
                *given,
                target=targets if self.world.last else None,
                losses=[],
                return_outputs=False,
                **self._documents(inputs),
            )
            self._sum_tied_table()
            return
        micro_batches = zip(torch.split(inputs, self.size), torch.split(targets, self.size), strict=True)
        for part, (x, y) in enumerate(micro_batches):
            if isinstance(self.model, FSDPModule):
                # Gradients are reduced and sharded after each micro-batch, so that no process accumulates whole ones;
                # only the sum over replicas waits for the last.
                self.model.set_requires_all_reduce(part == self.parts - 1)
            torch.autograd.backward(self._loss(self.loss, x, y))

    def _loss(self, loss: Loss, inputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of one micro-batch on a process that holds the whole model."""
        if not getattr(loss, "by_token", False):
            return loss(self.model(inputs, **self._documents(inputs)), targets)

        def head(h: Tensor) -> Tensor:
            return chunked_loss(h, self.model.head_weight, targets, self.model.logits, loss)

        return self.model(inputs, head=head, **self._documents(inputs))

    def _documents(self, inputs: Tensor) -> dict[str, Any]:
        return {"documents": document_numbers(inputs)} if self._masked else {}

    @torch.no_grad()
    def evaluate(self, inputs: Tensor, targets: Tensor, loss: Loss) -> None:
        """Forward only, of one micro-batch [size, T]; `loss` is called where the logits come out."""
        if self._schedule is None:
            self._loss(loss, inputs, targets)
        else:
            self._evaluate_stage(inputs, targets, loss)
        if isinstance(self.model, FSDPModule):
            self.model.reshard()  # without a backward pass nothing else would do so

    def _evaluate_stage(self, inputs: Tensor, targets: Tensor, loss: Loss) -> None:
        world, h = self.world, inputs
        group = world.dense.get_group("pipeline") if world.dense else None
        if not world.first:
            h = torch.empty(self._hidden, device=inputs.device)
            dist.recv(h, group=group, group_src=world.stage - 1)
        out = self.model(h, **self._documents(inputs))
        if world.last:
            loss(out, targets)
        else:
            dist.send(out, group=group, group_dst=world.stage + 1)

    def _pipeline(self, settings: Settings) -> Schedule1F1B:
        world, model, meta = self.world, self.model, torch.device("meta")
        assert world.dense is not None
        tokens = torch.empty(self._hidden[:2], dtype=torch.long, device=meta)
        hidden = torch.empty(self._hidden, device=meta)
        logits = torch.empty(*self._hidden[:2], model.config.vocab_size, dtype=model.dtype, device=meta)
        stage = PipelineStage(
            model,
            world.stage,
            world.shape.pipeline,
            world.device,
            input_args=tokens if world.first else hidden.requires_grad_(),
            output_args=(logits if world.last else hidden).clone().requires_grad_(),
            group=world.dense.get_group("pipeline"),
        )
        return Schedule1F1B(stage, self.parts, loss_fn=self.loss, scale_grads=False)

    def _sum_tied_table(self) -> None:
        """The first and last stage hold one table between them: each adds the other's gradient to its own."""
        world, table = self.world, self.model.embed_tokens
        if not self.model.config.tie_embeddings or table is None or world.dense is None:
            return
        group = world.dense.get_group("pipeline")
        peer = world.shape.pipeline - 1 if world.first else 0
        gradient = table.weight.grad
        assert isinstance(gradient, DTensor)
        mine = gradient.to_local()
        theirs = torch.empty_like(mine)
        ops = [
            dist.P2POp(dist.isend, mine, group=group, group_peer=peer),
            dist.P2POp(dist.irecv, theirs, group=group, group_peer=peer),
        ]
        for work in dist.batch_isend_irecv(ops):
            work.wait()
        mine.add_(theirs)


def document_numbers(inputs: Tensor) -> Tensor:
    """Which post of its sequence each of inputs [B, T] belongs to: one ends with EOS, or where padding begins or
    ends."""
    padding = inputs == PAD_TOKEN
    ends = (inputs[:, :-1] == EOS_TOKEN) | (padding[:, :-1] != padding[:, 1:])
    return F.pad(ends.long(), (1, 0)).cumsum(1)
