"""Objectives: cross entropy, z-losses and the balance of experts, and the sums that are logged.

Every term is a sum over tokens or sequences divided by the *global* number of them, so that summing over
micro-batches and processes gives the same loss on every layout.
"""

from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from trinch.model.grok import MoE, count_choices
from trinch.training.chunked_loss import TokenLosses

if TYPE_CHECKING:
    from trinch.training.step import Engine


class Objective(Protocol):
    """A training objective: a loss function with a sum for the log."""

    denominator: Tensor | float
    """Divisor of sums over all processes: tokens or pairs of this step."""

    def ready(self, engine: "Engine") -> None:
        """Called once, when the model has the weights it starts from."""

    def begin(self, tokens: Tensor) -> None:
        """A step of so many targets, over all processes, begins; a scalar on the model's device."""

    def __call__(self, losses: TokenLosses, targets: Tensor) -> Tensor:
        """This micro-batch's part of the loss, of its tokens' losses and targets [B, T]."""

    def take(self) -> Tensor | float:
        """This process's part of the sum to be logged, since the last call; a scalar on the model's device."""


class NextToken:
    """The pre-training objective: mean cross entropy with PaLM's z-loss (arXiv:2204.02311). Its tally is nats."""

    def __init__(self, z_loss: float) -> None:
        self.z_loss = z_loss
        self.denominator: Tensor | float = 1.0
        self._nats: Tensor | float = 0.0

    def ready(self, engine: "Engine") -> None:
        """Nothing to prepare."""

    def begin(self, tokens: Tensor) -> None:
        """Divide by the targets of the step."""
        self.denominator = tokens

    def __call__(self, losses: TokenLosses, targets: Tensor) -> Tensor:
        nats = losses.nll.sum()
        self._nats = self._nats + nats.detach().double()
        loss = nats + self.z_loss * losses.log_normalizer.square().sum() if self.z_loss else nats
        return loss / self.denominator

    def take(self) -> Tensor | float:
        """Summed cross entropy of all targets seen."""
        nats, self._nats = self._nats, 0.0
        return nats


class _AttachLoss(torch.autograd.Function):
    """Pass x through unchanged, and make `extra` part of the loss: its gradient is 1 wherever x is used.

    So a layer's own loss needs no way to the end of the model, which may be in another process (as in
    Megatron-LM's MoEAuxLossAutoScaler).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, extra: Tensor) -> Tensor:
        ctx.shape = extra.shape
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        return gradient, gradient.new_ones(ctx.shape, dtype=torch.float32)


def balance_loss(logits: Tensor, k: int) -> Tensor:
    """Load-balancing loss of each sequence, [B], from router logits [B, T, E]: 1 when balanced.

    E / (K T) * sum over experts of (tokens sent there) * (mean probability), within the sequence
    (DeepSeek-V3, arXiv:2412.19437, eq. 17-20). Being within a sequence, it does not depend on how a batch is
    split.
    """
    probabilities = logits.softmax(-1)
    experts = logits.shape[-1]
    chosen = F.one_hot(probabilities.topk(k, dim=-1).indices, experts).sum(-2).float()
    return experts / k * (chosen.mean(1) * probabilities.mean(1)).sum(-1)


class RouterLosses:
    """Balance and z-loss of every router of a model, attached by hooks; and a tally of what the routers
    did."""

    def __init__(self, model: nn.Module, balance: float, z_loss: float) -> None:
        """The weights are those of one layer; layers add up."""
        self.balance, self.z_loss = balance, z_loss
        self.sequences = self.tokens = 1.0
        """Global numbers in this step, set before the forward pass."""
        self.load: dict[str, Tensor] = {}
        """Tokens sent to each expert of each layer since `reset`, this process's share."""
        for name, module in model.named_modules():
            if isinstance(module, MoE):
                module.register_forward_hook(self._hook(name))

    def reset(self, sequences: float, tokens: float) -> None:
        """Begin a step of that many sequences and tokens, over all processes."""
        self.sequences, self.tokens = sequences, tokens
        self.load.clear()

    def _hook(self, name: str) -> Any:
        def hook(module: MoE, _inputs: Any, output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor] | None:
            out, logits = output
            if not torch.is_grad_enabled() or logits.is_meta:
                return None
            extra = self.balance * balance_loss(logits, module.k).sum() / self.sequences
            extra = extra + self.z_loss * logits.logsumexp(-1).square().sum() / self.tokens
            with torch.no_grad():
                chosen = logits.topk(module.k, dim=-1).indices
                counts = count_choices(chosen, logits.shape[-1]).float()
                self.load[name] = self.load.get(name, 0.0) + counts
            return _AttachLoss.apply(out, extra), logits  # type: ignore[no-untyped-call]  # torch's

        return hook
