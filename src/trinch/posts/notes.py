"""What a parser reports beside the events of a line: oddities it forgave, and elements it could not read."""

from collections import Counter


class Notes:
    """Collects what parsing one or many lines forgave and rejected."""

    def __init__(self) -> None:
        self.forgiven: Counter[str] = Counter()
        """Kind of oddity (usually the name of an optional field) -> how often it was repaired or left out."""
        self.rejected: list[tuple[str, bytes]] = []
        """(reason, raw text) of each element of a page that could not be read, beside others that could."""

    def forgive(self, kind: str) -> None:
        """Count one oddity."""
        self.forgiven[kind] += 1

    def reject(self, reason: str, raw: bytes) -> None:
        """Report one element of a page that could not be read."""
        self.rejected.append((reason, raw))

    def take_rejected(self) -> list[tuple[str, bytes]]:
        """The rejected elements since the last call."""
        taken, self.rejected = self.rejected, []
        return taken
