"""From where on the network something came, without saying from whom."""

import ipaddress

BITS = {4: 24, 6: 48}
"""By version of the protocol: what belongs to one site or one provider of access (RFC 6177)."""


def network_of(address: str | None) -> str | None:
    """Return the network of an address; of a network, itself; None where there is none.

    An IPv4 address that is written as one of IPv6 counts as what it is.
    """
    if address and "/" in address:
        return address
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    known = getattr(known, "ipv4_mapped", None) or known
    bits = BITS[known.version]
    first = int(known) >> known.max_prefixlen - bits << known.max_prefixlen - bits
    return f"{type(known)(first)}/{bits}"
