"""Addresses of live sources without what is secret in them."""

from urllib.parse import urlsplit, urlunsplit


def without_credentials(address: str) -> str:
    """The address without user name, password, query and fragment: any of them may hold a secret.

    For logs, cursors, statistics and errors. What cannot be parsed becomes its scheme alone."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return f"{address.partition(':')[0]}:"
    shown = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, shown + port, parts.path, "", ""))


def has_credentials(address: str) -> bool:
    """Whether an address holds a user name, a password or a query, which may be a token."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "@" in address or "?" in address
    return "@" in parts.netloc or bool(parts.query)
