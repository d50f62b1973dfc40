"""Grok-2 in plain NumPy, written from its specification alone: the second opinion on the PyTorch model.

Nothing is shared with the package, not even parameter names: weights come under the names of the release,
matrices [out, in], experts one by one. Every intermediate tensor is kept.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SPEC: dict[str, Any] = {
    "hidden": 24,
    "layers": 2,
    "heads": 6,
    "kv_heads": 2,
    "head_dim": 8,
    "vocab": 40,
    "experts": 4,
    "top_k": 2,
    "expert_width": 16,
    "mlp_width": 20,
    "embedding_multiplier": 24**0.5,
    "output_multiplier": 0.5,
    "attn_cap": 1.5,
    "router_cap": 1.0,
    "final_cap": 2.0,
    "eps": 1e-5,
    "theta": 500.0,
    "temperature_len": 6,
}
"""Small, with caps low enough to bend and a temperature that begins within the test's sequence."""


def random_weights(spec: dict[str, Any], seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    d, c = spec["hidden"], spec["head_dim"]
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (spec["vocab"], d),
        "lm_head.weight": (spec["vocab"], d),
        "model.norm.weight": (d,),
    }
    for i in range(spec["layers"]):
        at = f"model.layers.{i}."
        for norm in ("pre_attn_norm", "post_attn_norm", "pre_moe_norm", "post_moe_norm"):
            shapes[f"{at}{norm}.weight"] = (d,)
        shapes[f"{at}self_attn.q_proj.weight"] = (spec["heads"] * c, d)
        shapes[f"{at}self_attn.k_proj.weight"] = (spec["kv_heads"] * c, d)
        shapes[f"{at}self_attn.v_proj.weight"] = (spec["kv_heads"] * c, d)
        shapes[f"{at}self_attn.o_proj.weight"] = (d, spec["heads"] * c)
        shapes[f"{at}block_sparse_moe.gate.weight"] = (spec["experts"], d)
        for e in range(spec["experts"]):
            shapes[f"{at}block_sparse_moe.experts.{e}.w1.weight"] = (spec["expert_width"], d)
            shapes[f"{at}block_sparse_moe.experts.{e}.w3.weight"] = (spec["expert_width"], d)
            shapes[f"{at}block_sparse_moe.experts.{e}.w2.weight"] = (d, spec["expert_width"])
        shapes[f"{at}mlp.gate_proj.weight"] = (spec["mlp_width"], d)
        shapes[f"{at}mlp.up_proj.weight"] = (spec["mlp_width"], d)
        shapes[f"{at}mlp.down_proj.weight"] = (d, spec["mlp_width"])
    weights = {}
    for name, shape in shapes.items():
        noise = rng.standard_normal(shape)
        weights[name] = 1 + 0.1 * noise if len(shape) == 1 else noise / shape[-1] ** 0.5
        weights[name] = weights[name].astype(np.float32)
    return weights


def softmax(x: Array) -> Array:
    e = np.exp(x - np.max(x))
    return e / e.sum()


def gelu(x: Array) -> Array:
    return x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))


def gated(x: Array, gate: Array, up: Array, down: Array) -> Array:
    return down @ (gelu(gate @ x) * (up @ x))


def cap(x: Array, limit: float) -> Array:
    return limit * np.tanh(x / limit)


def rotate(x: Array, position: int, theta: float) -> Array:
    """One head [C] at one position; channel i turns with channel i + C/2."""
    half = x.size // 2
    out = np.empty_like(x)
    for i in range(half):
        angle = position * theta ** (-2 * i / x.size)
        out[i] = x[i] * np.cos(angle) - x[i + half] * np.sin(angle)
        out[i + half] = x[i + half] * np.cos(angle) + x[i] * np.sin(angle)
    return out


def forward(weights: dict[str, Array], spec: dict[str, Any], tokens: list[int]) -> dict[str, Array]:
    """One sequence, token by token and head by head, in float64. Rows of each result are the tokens."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    c, group = spec["head_dim"], spec["heads"] // spec["kv_heads"]

    def norm(x: Array, name: str) -> Array:
        return w[name] * x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + spec["eps"])

    seen: dict[str, Array] = {}
    h = w["model.embed_tokens.weight"][tokens] * spec["embedding_multiplier"]
    for i in range(spec["layers"]):
        at = f"model.layers.{i}."
        x = norm(h, at + "pre_attn_norm.weight")
        q, k, v = ((x @ w[f"{at}self_attn.{n}_proj.weight"].T).reshape(len(tokens), -1, c) for n in "qkv")
        attn = np.zeros((len(tokens), spec["heads"], c))
        for head in range(spec["heads"]):
            for t in range(len(tokens)):
                query = rotate(q[t, head], t, spec["theta"])
                scores = []
                for s in range(t + 1):
                    key = rotate(k[s, head // group], s, spec["theta"])
                    score = cap(query @ key * c**-0.5, spec["attn_cap"])
                    if t > spec["temperature_len"]:
                        score *= np.log2(t) / np.log2(spec["temperature_len"])
                    scores.append(score)
                attn[t, head] = softmax(np.array(scores)) @ v[: t + 1, head // group]
        out = attn.reshape(len(tokens), -1) @ w[at + "self_attn.o_proj.weight"].T
        seen[f"attn.{i}"] = out
        h = h + norm(out, at + "post_attn_norm.weight")
        x = norm(h, at + "pre_moe_norm.weight")
        router = cap(x @ w[at + "block_sparse_moe.gate.weight"].T, spec["router_cap"])
        moe, mlp = np.zeros_like(x), np.zeros_like(x)
        for t, row in enumerate(x):
            prob = softmax(router[t])
            for e in sorted(range(spec["experts"]), key=lambda e: -prob[e])[: spec["top_k"]]:
                expert = f"{at}block_sparse_moe.experts.{e}."
                moe[t] += prob[e] * gated(row, *(w[f"{expert}{n}.weight"] for n in ("w1", "w3", "w2")))
            mlp[t] = gated(row, *(w[f"{at}mlp.{n}_proj.weight"] for n in ("gate", "up", "down")))
        both = (mlp + moe) / 1.4142135623730951
        seen |= {f"router.{i}": router, f"moe.{i}": moe, f"mlp.{i}": mlp, f"ffn.{i}": both}
        h = h + norm(both, at + "post_moe_norm.weight")
        seen[f"h.{i}"] = h
    x = norm(h, "model.norm.weight")
    seen["norm"] = x
    seen["logits"] = cap(x @ w["lm_head.weight"].T * spec["output_multiplier"], spec["final_cap"])
    return seen
