"""Certificates: what was erased, when, and how that was verified; kept in the folder of the store."""

from pathlib import Path

import msgspec

CERTIFICATES = "erasures.jsonl"
"""File name of the certificates inside the folder of a store."""


class Certificate(msgspec.Struct):
    """What was erased, when, and how that was verified."""

    requested: str
    at: str
    dry_run: bool = False
    ids: list[str] = []
    """Network and id of each post; empty for posts that were removed by a rule of retention."""
    versions: int = 0
    rejected_lines: int = 0
    seconds: float = 0.0
    files_searched: int = 0
    bytes_searched: int = 0
    files_with_text: list[str] = []
    """Files of the folder that still contain the text of an erased post; empty is the proof."""


def keep(data: Path, certificate: Certificate) -> None:
    """Append a certificate to the file of the store."""
    with (data / CERTIFICATES).open("ab") as file:
        file.write(msgspec.json.encode(certificate) + b"\n")
