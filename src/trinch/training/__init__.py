"""Training: data from the store, parallelism, the loop, checkpoints, evaluation. Needs `trinch[train]`."""
