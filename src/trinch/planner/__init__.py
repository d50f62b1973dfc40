"""The gigafactory: plan, predict and launch training on thousands of GPUs. Pure numpy; torch is never imported."""
