"""What the model is shown of a packed sequence."""

import torch
from torch import Tensor

from trinch.model.config import get_config
from trinch.model.grok import Grok
from trinch.training.chunked_loss import TokenLosses
from trinch.training.parallel import ProcessMesh
from trinch.training.settings import Mesh, Settings
from trinch.training.step import Engine, document_numbers


def test_a_post_ends_with_its_mark_or_where_it_was_struck_out() -> None:
    inputs = torch.tensor([[7, 8, 2, 9, 2, 5], [7, 0, 0, 9, 2, 2], [2, 7, 7, 0, 0, 0]])
    assert document_numbers(inputs).tolist() == [[0, 0, 0, 1, 1, 2], [0, 1, 1, 2, 2, 3], [0, 1, 1, 2, 2, 2]]


def test_masked_posts_are_trained_on_as_if_each_stood_alone() -> None:
    torch.manual_seed(0)
    model = Grok(get_config("tiny"))
    row = [9, 8, 7, 2, 30, 31, 2, 50, 51, 52, 53, 54]
    inputs = torch.tensor([row, row])
    logits = torch.cat([model(torch.tensor([row[a:b]])) for a, b in ((0, 4), (4, 7), (7, 12))], 1)
    alone = -logits.log_softmax(-1).gather(2, inputs[:1, :, None])[..., 0].detach()
    seen: dict[str, list[Tensor]] = {"open": [], "mask": []}
    for documents, losses in seen.items():
        settings = Settings(batch=2, micro_batch=1, sequence=12, documents=documents)  # type: ignore[arg-type]  # a str

        def loss(out: TokenLosses, _: Tensor, losses: list[Tensor] = losses) -> Tensor:
            losses.append(out.nll.detach())
            return out.nll.sum()

        engine = Engine({0: model}, ProcessMesh(Mesh(shard=1), torch.device("cpu")), settings, loss)
        engine.accumulate(inputs, inputs)
        engine.evaluate(inputs[:1], inputs[:1], loss)
    for shown in seen["mask"]:
        assert torch.allclose(shown, alone, atol=1e-5)
    for shown in seen["open"]:
        assert torch.allclose(shown[:, :4], alone[:, :4], atol=1e-5)
        assert not torch.allclose(shown[:, 4:], alone[:, 4:], atol=1e-3)
    assert [len(shown) for shown in seen.values()] == [3, 3]
