"""The reader: how likely is a passage to speak of the topic of a request, and to answer it?"""

from trinch.reader.model import Reader, Reading, load
from trinch.reader.pairs import Passage, Query, Wanted

__all__ = ["Passage", "Query", "Reader", "Reading", "Wanted", "load"]
