import pytest

from gateway.ingress.event_stream.stream_filter import read_vector, write_vector
from runtime.http_server.port_problems import InvalidHeader


def test_a_written_vector_is_read_back():
    assert read_vector(write_vector([0, 7, 123]).encode(), 3) == [0, 7, 123]


@pytest.mark.parametrize("header", [None, b""])
def test_without_an_id_the_stream_starts_now(header):
    assert read_vector(header, 3) is None


@pytest.mark.parametrize("header", [b"1.2", b"1.2.3.4", b"1.2.x", b"1.-2.3", b"1.2." + b"9" * 19, "1.2.٣".encode()])
def test_a_malformed_last_event_id_is_rejected(header):
    with pytest.raises(InvalidHeader):
        read_vector(header, 3)
