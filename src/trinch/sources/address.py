"""Addresses of live sources without what is secret in them."""

import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

_NAMED = re.compile(r"[a-z][a-z0-9_]*:(?=[a-z][a-z0-9+.-]*://)").match
"""The name of a source before its address, as in `feed:https://…`."""


def without_credentials(address: str) -> str:
    """The address without user name, password, query and fragment: any of them may hold a secret.

    For logs, cursors, statistics and errors. What cannot be parsed becomes its scheme alone. Addresses without a host, as
    `x:filter?rule=storm`, hold no secret and stay as they are."""
    if name := _NAMED(address):
        return name[0] + without_credentials(address[name.end() :])
    if "://" not in address:
        return address
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return f"{address.partition(':')[0]}:"
    shown = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, shown + port, parts.path, "", ""))


def host(address: str) -> str:
    """The host and port of an address; "" where it has none or cannot be parsed."""
    try:
        return urlsplit(address).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def has_credentials(address: str) -> bool:
    """Whether an address holds a user name, a password or a query, which may be a token."""
    if name := _NAMED(address):
        return has_credentials(address[name.end() :])
    if "://" not in address:
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return "@" in address or "?" in address
    return "@" in parts.netloc or bool(parts.query)


def redact(text: str, address: str) -> str:
    """The text, such as an error message, with whatever is secret in `address` replaced."""
    text = text.replace(address, without_credentials(address))
    if "://" not in address:
        return text
    try:
        parts = urlsplit(address[name.end() :] if (name := _NAMED(address)) else address)
        secrets = [
            parts.username,
            parts.password,
            parts.query,
            *(value for _, value in parse_qsl(parts.query)),
        ]
    except ValueError:
        return text
    for secret in secrets:
        if secret:
            text = text.replace(secret, "…")
    return text
