"""The small neural reader: which posts answer a request."""

from trinch.reader.model import Reader, Reading, available, load

__all__ = ["Reader", "Reading", "available", "load"]
