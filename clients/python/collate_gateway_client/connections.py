"""The connections of a client: certificates and bounds."""

import ssl
from pathlib import Path
from typing import Final

import httpx

MOST_BYTES: Final = 16 << 20
# The gateway closes an idle connection after 75 s, a proxy may close it earlier. The client must close it first. An
# event stream has a connection for itself.
LIMITS: Final = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=15.0)


def tls(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that verifies the certificate and the host name, TLS 1.2 or later.

    Without a file it trusts the system's. `ssl.create_default_context` would write session keys to SSLKEYLOGFILE.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=ca_file)
    return context
