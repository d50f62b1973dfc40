"""A busy machine is no reason for a property to fail; TRINCH_CASES sets how many examples each property is tried on."""

import os

from hypothesis import settings

settings.register_profile("patient", deadline=None, max_examples=int(os.environ.get("TRINCH_CASES", "100")))
settings.load_profile("patient")
