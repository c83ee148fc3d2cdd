"""The client verifies the gateway's certificate: with a CA file by this file alone, on a real TLS connection."""

import socket
import ssl
import threading
from pathlib import Path

import pytest

from collate_gateway_client import Gateway, NotAnswered, RetryPolicy, operations

CERTIFICATE = Path(__file__).parents[1] / "collate" / "localhost.pem"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@pytest.fixture
def url():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    def serve():
        connection, _ = server.accept()
        connection.settimeout(5)
        try:
            with context.wrap_socket(connection, server_side=True) as encrypted:
                encrypted.recv(65536)
                encrypted.sendall(ANSWER)
        except OSError:
            pass  # the client ended the handshake

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://localhost:{server.getsockname()[1]}"
        thread.join()


def test_a_ca_file_is_trusted(url):
    with Gateway(url, "k", retries=RetryPolicy.none(5), ca_file=CERTIFICATE) as gateway:
        assert gateway.send(operations.open_api()).body == {}


def test_another_authority_is_not_trusted_and_the_reason_says_so(url):
    with (
        Gateway(url, "k", retries=RetryPolicy.none(5)) as gateway,
        pytest.raises(NotAnswered, match=r"certificate verify failed \(is its certificate trusted here\?\)"),
    ):
        gateway.send(operations.open_api())
