"""Grok in PyTorch: configuration, layers, generation, tokenizer, checkpoints.

`trinch.model.config` needs no torch; everything else needs the extra `trinch[train]`.
"""
