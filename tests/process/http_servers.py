"""Servers on loopback, each with a thread of its own; one of HTTPS has an authority that the process trusts."""

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.kafka.secured import Authority


class QuietHandler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def http_server(handler):
    """Run a server of this handler."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, _serving(server):
        yield server


@contextmanager
def https_server(directory, monkeypatch, handler):
    """Run a server of this handler behind TLS. Its authority is in SSL_CERT_FILE."""
    authority = Authority("test authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.write(directory / "ca.pem")))
    authority.issue("localhost", directory / "crt", directory / "key", addresses=["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "crt", directory / "key")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with _serving(server):
            yield server


@contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield
    server.shutdown()
    thread.join()
