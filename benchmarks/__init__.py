"""Speed, measured beside peers in the same run. Outside the package: nothing here is imported by Trinch."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command `trinch` does
