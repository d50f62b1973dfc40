"""Forward and backward pass of one step: in micro-batches, on one process, sharded, or through a pipeline."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor
from torch.distributed.fsdp import FSDPModule

from trinch.model.grok import Grok
from trinch.training.chunked_loss import WHOLE, TokenLosses, token_losses
from trinch.training.document_spans import EOS_TOKEN, PAD_TOKEN
from trinch.training.parallel import ProcessMesh
from trinch.training.pipeline import Pipeline
from trinch.training.settings import Settings, SettingsError
from trinch.training.vocabulary_parallel import local_weight, vocabulary_shard

Loss = Callable[[TokenLosses, Tensor], Tensor]
"""(losses of tokens, targets [b, T]) -> this micro-batch's part of the loss. It may keep a tally of its own."""


class Engine:
    """Runs batches of `rows` sequences (this process's share) through the model."""

    def __init__(self, stages: dict[int, Grok], world: ProcessMesh, settings: Settings, loss: Loss) -> None:
        """`stages`: this process's parts of the model (`parallel.build`)."""
        self.world, self.loss = world, loss
        self._model, self._last = next(iter(stages.values())), stages.get(world.stage_count - 1)
        rows = settings.batch // world.shape.data_ways
        piped = world.shape.pipeline > 1
        size = settings.micro_batch or (max(1, rows // 4) if piped else rows)
        if rows % size:
            raise SettingsError(
                f"micro_batch is {size}, which does not divide a process's {rows} sequences a step"
            )
        self.size, self.parts, self._masked = size, rows // size, settings.documents == "mask"
        config = self._model.config
        self._vocabulary = WHOLE
        if world.dense is not None and world.shape.tensor > 1:
            self._vocabulary = vocabulary_shard(config.vocab_size, world.dense["tensor"])
        hidden = (size, settings.sequence, config.hidden_size)
        self._pipeline = (
            Pipeline(stages, world, self.parts, hidden, partial(self._head_loss, loss)) if piped else None
        )

    def accumulate(self, inputs: Tensor, targets: Tensor) -> None:
        """Add the gradients of a step's batch [rows, T] to the parameters, reduced over processes."""
        if self._pipeline is not None:
            self._pipeline.accumulate(inputs, targets, self._documents(inputs))
            return
        micro_batches = zip(torch.split(inputs, self.size), torch.split(targets, self.size), strict=True)
        for part, (x, y) in enumerate(micro_batches):
            if isinstance(self._model, FSDPModule):
                # Gradients are reduced and sharded after each micro-batch, so that no process accumulates whole ones;
                # only the sum over replicas waits for the last.
                self._model.set_requires_all_reduce(part == self.parts - 1)
            torch.autograd.backward(self._loss(self.loss, x, y))

    @torch.no_grad()
    def evaluate(self, inputs: Tensor, targets: Tensor, loss: Loss) -> None:
        """Forward only, of one micro-batch [size, T]; `loss` is called where the last layer is."""
        if self._pipeline is not None:
            self._pipeline.evaluate(inputs, targets, self._documents(inputs), partial(self._head_loss, loss))
            return
        self._loss(loss, inputs, targets)
        if isinstance(self._model, FSDPModule):
            self._model.reshard()  # without a backward pass nothing else would do so

    def _loss(self, loss: Loss, inputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of one micro-batch on a process that holds the whole model."""

        def head(h: Tensor) -> Tensor:
            return self._head_loss(loss, h, targets)

        out: Tensor = self._model(inputs, head=head, **self._documents(inputs))
        return out

    def _head_loss(self, loss: Loss, h: Tensor, targets: Tensor) -> Tensor:
        """Loss of normalised hidden states [b, T, D]."""
        assert self._last is not None
        weight = local_weight(self._last.head_weight)
        return loss(token_losses(h, weight, targets, self._last.logits, self._vocabulary), targets)

    def _documents(self, inputs: Tensor) -> dict[str, Any]:
        return {"documents": document_numbers(inputs)} if self._masked else {}


def document_numbers(inputs: Tensor) -> Tensor:
    """Which post of its sequence each of inputs [B, T] belongs to: one ends with EOS, or where padding begins or
    ends."""
    padding = inputs == PAD_TOKEN
    ends = (inputs[:, :-1] == EOS_TOKEN) | (padding[:, :-1] != padding[:, 1:])
    return F.pad(ends.long(), (1, 0)).cumsum(1)
