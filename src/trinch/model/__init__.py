"""Grok in PyTorch: configuration, layers, generation, tokenizer, checkpoints.

Knows nothing of training or of posts.

`trinch.model.config` needs no torch; everything else wants the extra `trinch[train]`.
"""
