"""A secured Kafka for tests: TLS, SCRAM, bearer tokens, client certificates and an authorizer.

This module creates the certificates, users and tokens with temporary keys. PLAINTEXT is for the administrator (a super
user). On the other listeners a user needs ACLs, except the `super_users`.
"""

import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc import jwt
from joserfc.jwk import RSAKey

from local.kafka.broker import Node
from local.kafka.nodes import READY_WITHIN_SECONDS, Cluster
from local.processes.ports import free_ports
from local.processes.run import Run

LISTENERS = ("SSL", "SASL_SSL", "SASL_PLAINTEXT")
ISSUER, AUDIENCE = "https://issuer.test", "kafka"
_KAFKA = "org.apache.kafka"
_SCRAM_LOGIN = f"{_KAFKA}.common.security.scram.ScramLoginModule required;"
_OAUTH_LOGIN = f"{_KAFKA}.common.security.oauthbearer.OAuthBearerLoginModule required;"
_OAUTH_CHECK = f"{_KAFKA}.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
_AN_HOUR = 1 / 24
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
_STORE_PASSWORD = b"store-password"


class Authority:
    """A private certificate authority. Its certificates pass the strict check of Python 3.13 (RFC 5280)."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.certificate = (
            _certificate(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS_CERTIFICATES, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def write(self, path: Path) -> Path:
        """Write the authority's certificate, for clients and servers that trust it."""
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def issue(
        self,
        name: str,
        certificate: Path,
        key: Path,
        *,
        days: float = 1,
        age_days: float = _AN_HOUR,
        addresses: Iterable[str] = (),
    ) -> None:
        """Issue a certificate for CN=`name` that began `age_days` ago, and write the certificate and its key."""
        own, builder = self._issue(name, days, addresses, age_days)
        certificate.write_bytes(builder.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(_private_pem(own))

    def key_store(self, name: str, addresses: Iterable[str]) -> bytes:
        """Issue a certificate as a PKCS#12 store, the broker's format."""
        own, certificate = self._issue(name, 1, addresses)
        secret = serialization.BestAvailableEncryption(_STORE_PASSWORD)
        return pkcs12.serialize_key_and_certificates(b"broker", own, certificate, [self.certificate], secret)

    def _issue(
        self, name: str, days: float, addresses: Iterable[str], age_days: float = _AN_HOUR
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        own = ec.generate_private_key(ec.SECP256R1())
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            _certificate(_name(name), self._name, own, days, age_days)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names := [x509.IPAddress(IPv4Address(address)) for address in addresses]:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return own, builder.sign(self._key, hashes.SHA256())


class TokenIssuer:
    """An issuer of bearer tokens. A broker with its key set accepts them."""

    def __init__(self) -> None:
        self._key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})

    def key_set(self) -> str:
        """Return the public key as a JSON Web Key Set."""
        return json.dumps({"keys": [self._key.as_dict(private=False)]})

    def token(self, subject: str, *, seconds: float = 300, audience: str = AUDIENCE) -> str:
        """Return a signed token for a user."""
        now = int(time.time())
        claims = {"sub": subject, "aud": audience, "iss": ISSUER, "iat": now - 5, "exp": int(now + seconds)}
        return jwt.encode({"alg": "RS256", "kid": "1"}, claims, self._key)


class SecuredCluster(Cluster):
    """A broker with each kind of listener. `ports` has the port of each."""

    def __init__(
        self,
        directory: Path,
        users: Mapping[str, str],
        *,
        super_users: Iterable[str] = (),
        properties: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        """`host` is the address of the listeners with a login; the administrator's is always on the loopback."""
        super().__init__()
        self._given = dict(properties or {})
        self._host = host
        self.authority, self.tokens = Authority("broker authority"), TokenIssuer()
        self.ca_file = self.authority.write(directory / "ca.pem")
        self.ports: dict[str, int] = {}
        self._users = dict(users)
        self._super_users = ";".join(f"User:{user}" for user in ("ANONYMOUS", *super_users))
        self._store, self._key_set = directory / "broker.p12", directory / "jwks.json"
        self._store.write_bytes(self.authority.key_store("broker", [host]))
        self._key_set.write_text(self.tokens.key_set())

    def replace_certificate(self, authority: Authority) -> None:
        """Give the broker a certificate of another authority, from its next start on."""
        self._store.write_bytes(authority.key_store("broker", [self._host]))

    def _plan_nodes(self, directory: Path) -> list[Node]:
        (node,) = nodes = super()._plan_nodes(directory)
        self.ports = {"PLAINTEXT": node.port, **dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))}
        # Planned again if a port is lost; then none of the old ports may stay.
        self._properties = {**self._security(node), **self._given}
        return nodes

    def _format(self, run: Run) -> None:
        added = [
            argument
            for name, password in self._users.items()
            for argument in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
        ]
        for node in self._nodes:
            # Kafka reads token keys only from URLs that this JVM property allows.
            with (node.directory / "java.arguments").open("a") as arguments:
                arguments.write(f"-D{_KAFKA}.sasl.oauthbearer.allowed.urls=file://{self._key_set}\n")
            tool = run.spawn([*node.format_command(self._cluster_id), *added], log=node.output)
            if tool.wait(READY_WITHIN_SECONDS):
                raise self._failure(0, "its storage could not be formatted")

    def _security(self, node: Node) -> dict[str, str]:
        hosts = {name: "127.0.0.1" if name == "PLAINTEXT" else self._host for name in self.ports}
        clients = ",".join(f"{name}://{hosts[name]}:{port}" for name, port in self.ports.items())
        protocols = ",".join(f"{name}:{name}" for name in self.ports)
        oauth = "listener.name.sasl_ssl.oauthbearer.sasl"
        key_set = f"file://{self._key_set}"
        return {
            "listeners": f"{clients},CONTROLLER://127.0.0.1:{node.controller_port}",
            "advertised.listeners": clients,
            "listener.security.protocol.map": f"{protocols},CONTROLLER:PLAINTEXT",
            "ssl.keystore.location": str(self._store),
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.password": _STORE_PASSWORD.decode(),
            "ssl.truststore.location": str(self.ca_file),
            "ssl.truststore.type": "PEM",
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": _SCRAM_LOGIN,
            "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config": _SCRAM_LOGIN,
            f"{oauth}.jaas.config": _OAUTH_LOGIN,
            f"{oauth}.server.callback.handler.class": _OAUTH_CHECK,
            f"{oauth}.oauthbearer.jwks.endpoint.url": key_set,
            f"{oauth}.oauthbearer.expected.audience": AUDIENCE,
            f"{oauth}.oauthbearer.expected.issuer": ISSUER,
            "authorizer.class.name": f"{_KAFKA}.metadata.authorizer.StandardAuthorizer",
            "super.users": self._super_users,
        }


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    days: float = 1,
    age_days: float = _AN_HOUR,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=age_days))
        .not_valid_after(now + timedelta(days=days))
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
