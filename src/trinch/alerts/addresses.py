"""Which network addresses a webhook may be sent to: public ones, unless private ones are allowed.

A name is resolved once for each connection, and the connection is made to the address that was checked, so that a name
that changes its address in between (DNS rebinding) reaches nothing else.
"""

import asyncio
import ipaddress
import socket

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that lead to the IPv4 address in their last 32 bits (RFC 6052)."""


class NotAllowed(OSError):
    """A receiver at an address that is not public."""


async def resolve(host: str, port: int, allow_private: bool) -> str:
    """An address of a host that may be connected to. Raises NotAllowed, and OSError for an unknown name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if allow_private or is_public(address):
            return address
    shown = ", ".join(addresses[:3])
    raise NotAllowed(f"{host} is at {shown}, which is not a public address; --private-webhooks allows it")


def is_public(text: str) -> bool:
    """Whether an address is reachable from the whole internet, and so is an IPv4 address inside it."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inside is None and address in _NAT64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(str(inside))
    return address.is_global and not address.is_multicast
