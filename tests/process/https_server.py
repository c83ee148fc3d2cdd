"""A server of HTTPS on loopback, whose authority the process trusts."""

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.kafka.secured import Authority


class QuietHandler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def https_server(directory, monkeypatch, handler):
    """Run a server of this handler, as `server`; its authority is in SSL_CERT_FILE."""
    authority = Authority("test authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.write(directory / "ca.pem")))
    authority.issue("localhost", directory / "crt", directory / "key", addresses=["127.0.0.1"])
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "crt", directory / "key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
