"""Trinch: the open stack behind a Grok. Drink the store of posts, answer on demand."""

__version__ = "0.1.0"
