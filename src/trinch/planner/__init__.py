"""Plan, predict and launch training and serving on thousands of GPUs. Uses numpy; never imports torch."""
