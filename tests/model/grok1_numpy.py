"""Grok-1 a second time, in plain NumPy and naively, from the published JAX source: the oracle of the tests.

It keeps every intermediate tensor, so that a difference is found where it arises and not only in the logits.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def rms_norm(x: Array, scale: Array, eps: float) -> Array:
    return scale * x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gelu_tanh(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def rope(x: Array, base: float) -> Array:
    """x [B, T, heads, C]."""
    c = x.shape[-1]
    inv = 1.0 / base ** (np.arange(0, c, 2) / c)
    phase = np.tile(np.arange(x.shape[1])[:, None] * inv[None], (1, 2))[None, :, None, :]
    half = np.concatenate((-x[..., c // 2 :], x[..., : c // 2]), -1)
    return x * np.cos(phase) + half * np.sin(phase)


def forward(param: dict[str, Array], meta: dict[str, Any], tokens: Array) -> dict[str, Array]:
    """Everything on the way from tokens [B, T] to logits, in float64, by name."""
    p = {key: value.astype(np.float64) for key, value in param.items()}
    eps, cap = meta["rms_eps"], meta["max_attn_val"]
    h_q, h_kv, c = meta["num_q_heads"], meta["num_kv_heads"], meta["key_size"]
    b, t = tokens.shape
    seen: dict[str, Array] = {}
    table = p["language_model/in_out_embed/embeddings"]
    h = table[tokens] * meta["embedding_multiplier_scale"]
    mask = np.tril(np.ones((t, t), bool))[None] & (tokens > 0)[:, None, :]
    for i in range(meta["num_layers"]):
        at = f"transformer/decoder_layer_{i}/"
        x = rms_norm(h, p[at + "rms_norm/scale"], eps)
        q = (x @ p[at + "multi_head_attention/query/w"]).reshape(b, t, h_q, c)
        k = (x @ p[at + "multi_head_attention/key/w"]).reshape(b, t, h_kv, c)
        v = (x @ p[at + "multi_head_attention/value/w"]).reshape(b, t, h_kv, c)
        q, k = rope(q, meta["rope_base"]), rope(k, meta["rope_base"])
        heads = []
        for head in range(h_q):
            kv = head // (h_q // h_kv)
            score = np.einsum("btc,bsc->bts", q[:, :, head], k[:, :, kv]) * meta["attn_output_multiplier"]
            score = np.where(mask, cap * np.tanh(score / cap), -1e30)
            heads.append(softmax(score) @ v[:, :, kv])
        attn = np.concatenate(heads, -1) @ p[at + "multi_head_attention/linear/w"]
        h = h + rms_norm(attn, p[at + "rms_norm_1/scale"], eps)
        x = rms_norm(h, p[at + "rms_norm_2/scale"], eps)
        router = x @ p[at + "router/w"]
        prob = softmax(router)
        moe = np.zeros_like(x)
        for row in range(b):
            for col in range(t):
                token = x[row, col]
                for e in np.argsort(-prob[row, col], kind="stable")[: meta["top_k"]]:
                    gate = gelu_tanh(token @ p[at + "moe/linear/w"][e])
                    out = (gate * (token @ p[at + "moe/linear_v/w"][e])) @ p[at + "moe/linear_1/w"][e]
                    moe[row, col] += prob[row, col, e] * out
        h = h + rms_norm(moe, p[at + "rms_norm_3/scale"], eps)
        seen |= {
            f"attn.{i}": attn,
            f"router.{i}": router,
            f"pre_moe_norm.{i}": x,
            f"moe.{i}": moe,
            f"h.{i}": h,
        }
    final = rms_norm(h, p["language_model/rms_norm/scale"], eps)
    seen["norm"] = final
    seen["logits"] = final @ table.T * meta["output_multiplier_scale"]
    return seen
