"""Training: data from the ocean, parallelism, the loop, checkpoints, evaluation. Needs `trinch[train]`."""
