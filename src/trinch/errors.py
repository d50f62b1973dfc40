"""The root of every error that Trinch raises on purpose."""


class TrinchError(Exception):
    """Base of all errors of this package; the message says what was wrong, where, and what to do."""
