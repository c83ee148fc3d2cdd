"""The rig's certificates pass the check that Python makes from 3.13 on."""

import asyncio
import ssl

from local.kafka.secured import Authority


async def test_certificates_of_the_private_authority_pass_the_strict_check(tmp_path):
    authority = Authority("authority")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    authority.issue("broker", certificate, key, addresses=["127.0.0.1"])
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(authority.write(tmp_path / "ca.pem")))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=own) as server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        writer.close()
