"""Vocabulary parallelism: the embedding table and the head are split by tokens over the tensor-parallel processes.

The cross entropy of split logits is in `chunked_loss.py`.
"""

import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from trinch.model.grok import Grok
from trinch.training.chunked_loss import VocabularyShard
from trinch.training.experts import reduce_from_group


class ParallelEmbedding(nn.Embedding):
    """An embedding of which this process holds the rows of `shard`; the others come from its group."""

    def __init__(self, whole: nn.Embedding, mesh: DeviceMesh) -> None:
        nn.Module.__init__(self)
        self.num_embeddings, self.embedding_dim = whole.num_embeddings, whole.embedding_dim
        self.shard = vocabulary_shard(whole.num_embeddings, mesh)
        self.weight = _split(whole.weight, mesh)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, from {self.shard.first}"

    def forward(self, tokens: Tensor) -> Tensor:
        """Rows [B, T, D] of tokens [B, T]."""
        weight = local_weight(self.weight)
        place = tokens - self.shard.first
        here = (place >= 0) & (place < len(weight))
        rows = F.embedding(place.masked_fill(~here, 0), weight) * here[..., None]
        return reduce_from_group(rows, self.shard.group)


def parallelize_vocabulary(model: Grok, mesh: DeviceMesh) -> None:
    """Split the embedding and the head of this part of a model, where it has them."""
    if model.embed_tokens is not None:
        model.embed_tokens = ParallelEmbedding(model.embed_tokens, mesh)
    if model.lm_head is not None:
        model.lm_head.weight = _split(model.lm_head.weight, mesh)


def vocabulary_shard(size: int, mesh: DeviceMesh) -> VocabularyShard:
    """This process's tokens of a vocabulary of that size; the last process's are fewer where it does not divide."""
    each = -(-size // mesh.size())
    group = mesh.get_group()
    return VocabularyShard(each * dist.get_rank(group), group, each)


def local_weight(weight: Tensor) -> Tensor:
    """The rows that this process holds."""
    return weight.to_local() if isinstance(weight, DTensor) else weight


def _split(weight: Tensor, mesh: DeviceMesh) -> nn.Parameter:
    return nn.Parameter(distribute_tensor(weight, mesh, [Shard(0)], src_data_rank=None))
