"""From where something came is kept as a network."""

import pytest

from marketplace.core.networks import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("nowhere", None),
        ("unix:", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_cut_to_its_network(address, network):
    assert network_of(address) == network
