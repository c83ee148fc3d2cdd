"""Which addresses the deliverer may call. Pure.

Only public unicast addresses are allowed, and the networks that a subscription names. The addresses of metadata
services are never allowed, because these services return the machine's credentials.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's registries of special-purpose addresses. A receiver on the internet never has one of them. The list is our own,
# because `is_global` differs between versions of Python.
_FORBIDDEN: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; some clouds have their metadata here
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
)
# Of IPv6 only 2000::/3 is assigned to unicast. So loopback, ::, IPv4-mapped, NAT64 (64:ff9b::/96, 64:ff9b:1::/48),
# unique local, link-local, site-local and multicast addresses are outside of it.
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_FORBIDDEN_6: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID and others
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address is inside
        "3fff::/20",  # documentation
    )
)
_METADATA: Final = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # AWS, Azure, GCP, OpenStack
        "169.254.170.2",  # AWS ECS
        "169.254.170.23",  # AWS EKS
        "169.254.0.23",  # Tencent
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure's wire server
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS
        "fd20:ce::254",  # GCP
    )
)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The networks that a subscription may call besides the public internet."""

    allowed: tuple[Network, ...] = ()

    def allows(self, address: str) -> bool:
        """Return whether a connection to this address may be opened; a text that is no address is refused."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        # A scope (fe80::1%eth0) chooses an interface of this machine.
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id is not None:
            return False
        if not _METADATA.isdisjoint({parsed, *_embedded(parsed)}):
            return False
        return _is_public(parsed) or any(
            parsed.version == network.version and parsed in network for network in self.allowed
        )

    def allowed_of(self, addresses: Iterable[str]) -> list[str]:
        """Return the addresses that may be called, in their order."""
        return [address for address in addresses if self.allows(address)]


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _FORBIDDEN)
    return address in _UNICAST and not any(address in network for network in _FORBIDDEN_6)


def _embedded(address: Address) -> Iterable[Address]:
    """Return the IPv4 addresses that a translator may read from an IPv6 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    number = int(address)
    last = ipaddress.IPv4Address(number & 0xFFFFFFFF)  # IPv4-mapped, IPv4-compatible, NAT64, ISATAP
    six_to_four = ipaddress.IPv4Address(number >> 80 & 0xFFFFFFFF)
    teredo = ipaddress.IPv4Address(number & 0xFFFFFFFF ^ 0xFFFFFFFF)
    return (last, six_to_four, teredo)
