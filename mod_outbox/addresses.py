"""Addresses that webhooks may be delivered to: those of the internet, and networks that a setting
allows.

A name is no protection, since its owner decides what it resolves to: the address that is connected
to is what counts.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Of IPv6 only what is assigned to the internet: NAT64 (64:ff9b::/96) is outside of that.
INTERNET_V6 = ip_network("2000::/3")
# Beside what the library of this version takes for private: Teredo and other special purposes, 6to4
# and its relays, examples.
SPECIAL = (
    ip_network("192.0.0.0/24"),
    ip_network("192.88.99.0/24"),
    ip_network("2001::/23"),
    ip_network("2002::/16"),
    ip_network("2001:db8::/32"),
    ip_network("3fff::/20"),
    # The metadata service of a cloud, at a public address.
    ip_network("168.63.129.16/32"),
)


def is_permitted(text: str, allowed: Sequence[Network]) -> bool:
    """Return whether a webhook may be delivered to this address."""
    address = _plain(ip_address(text))
    if any(address in network for network in allowed):
        return True
    if isinstance(address, IPv6Address) and address not in INTERNET_V6:
        return False
    if any(address in network for network in SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else the address itself, without its zone."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))
