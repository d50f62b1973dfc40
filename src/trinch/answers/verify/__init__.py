"""Whether a sentence follows from the posts it cites (`verifier.verify`)."""
