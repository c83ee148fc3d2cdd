import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.webhooks.addresses import AddressPolicy

PUBLIC = [
    "93.184.215.14",
    "1.1.1.1",
    "172.32.0.1",
    "11.0.0.1",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "2a00:1450::1",
]
FORBIDDEN = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1",
    "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.215.14", "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1",
    "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::", "3fff::1", "5f00::1", "fc00::1", "fdff::1",
    "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
METADATA = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"]
EVERYTHING = AddressPolicy(tuple(ipaddress.ip_network(n) for n in ("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1")))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address):
    assert AddressPolicy().allows(address)


@pytest.mark.parametrize("address", FORBIDDEN + METADATA)
def test_no_other_address_may_be_called(address):
    assert not AddressPolicy().allows(address)


@pytest.mark.parametrize("address", [one for one in FORBIDDEN if "%" not in one])
def test_a_named_network_may_be_called(address):
    assert EVERYTHING.allows(address)


@pytest.mark.parametrize(
    "address",
    [
        *METADATA,
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fe80::1%eth0",
    ],
)
def test_a_metadata_service_may_never_be_called(address):
    assert not EVERYTHING.allows(address)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "10.0.0.1/8", "[::1]", "010.0.0.1"]
)
def test_a_text_that_is_no_address_is_refused(text):
    assert not EVERYTHING.allows(text)


def test_a_network_allows_only_its_own_addresses():
    policy = AddressPolicy((ipaddress.ip_network("10.20.0.0/16"),))
    assert policy.allows("10.20.3.4")
    assert not policy.allows("10.21.3.4")
    assert not policy.allows("::ffff:10.20.3.4")


@given(st.ip_addresses())
def test_whatever_python_calls_local_is_refused(address):
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert not AddressPolicy().allows(str(address))


def test_the_order_of_the_allowed_addresses_stays():
    assert AddressPolicy().allowed_of(["10.0.0.1", "1.1.1.1", "::1", "8.8.8.8"]) == ["1.1.1.1", "8.8.8.8"]
