"""An alert channel for Trinch: `--channel notebook:FILE` appends each firing to a text file, once."""

from pathlib import Path

from trinch.alerts.channels import ChannelKind, Result
from trinch.alerts.notification import as_text


def send(address, key, notification):
    file = Path(address)
    if not file.exists() or f"[{key}]" not in file.read_text("utf-8"):
        subject, text = as_text(notification)
        with file.open("a", encoding="utf-8") as out:
            out.write(f"[{key}] {subject}\n{text}\n\n")
    return Result(True, f"written to {file}")


def check(address):
    if not Path(address).parent.is_dir():
        raise ValueError(f"{address}: there is no such folder")


NOTEBOOK = ChannelKind("notebook", "A text file", send, check)
