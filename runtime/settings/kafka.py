"""Settings of Kafka: its brokers and credentials, and the gateway's topics."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from runtime.environ import Section
from runtime.settings.addresses import HttpUrl, Servers
from runtime.units import Duration


class KafkaSettings(Section):
    """Address and credentials for Kafka."""

    TRANSACTION_SHARE: ClassVar = 0.8

    bootstrap: Servers = Field(description="Brokers for the first connection, as host:port, separated by commas.")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Protocol of the brokers' listener; all but PLAINTEXT need some of the settings below."
    )
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-512", description="Login mechanism if security is SASL_PLAINTEXT or SASL_SSL."
    )
    username: str | None = Field(None, description="User name for SCRAM and PLAIN.")
    password_file: Path | None = Field(None, description="File with the password of `username`.")
    token_file: Path | None = Field(
        None, description="File with the bearer token for OAUTHBEARER; another program must renew it in time."
    )
    oauth_url: HttpUrl | None = Field(
        None, description="Token endpoint (https) for OAUTHBEARER with client credentials; replaces `token_file`."
    )
    oauth_client_id: str | None = Field(None, description="Client id for the token endpoint.")
    oauth_client_secret_file: Path | None = Field(None, description="File with the secret of `oauth_client_id`.")
    oauth_scope: str | None = Field(None, description="Scope of the requested token.")
    ca_file: Path | None = Field(
        None, description="PEM file with the brokers' trusted certificate authorities; by default, those of the system."
    )
    certificate_file: Path | None = Field(None, description="PEM file with the gateway's certificate for mutual TLS.")
    key_file: Path | None = Field(None, description="PEM file with the unencrypted key of `certificate_file`.")
    client_id: str = Field("collate-gateway", description="Client name in the brokers' logs and quotas.")
    client_rack: str | None = Field(
        None,
        description=(
            "Zone of this process, as `broker.rack` names it: consumers read from a replica in the same zone, if the "
            "brokers' `replica.selector.class` allows it."
        ),
    )

    transaction_timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=15))] = Field(
        timedelta(seconds=25),
        description=(
            "Time after which the brokers abort a transaction. The process gives up after four fifths of it, at least "
            "5 s longer than the brokers' `broker.session.timeout.ms`."
        ),
    )

    @property
    def transaction_deadline(self) -> timedelta:
        """When a process gives up a transaction: earlier than the brokers, so that it knows what is in doubt."""
        return self.transaction_timeout * self.TRANSACTION_SHARE

    def contradictions(self) -> list[str]:
        """Check that the credentials match `security` and `mechanism`."""
        sasl, tls = self.security.startswith("SASL"), self.security.endswith("SSL")
        wrong = self._login_contradictions() if sasl else []
        if not sasl and (self.username is not None or self.password_file is not None):
            wrong.append(
                f"username and password_file are for SASL_PLAINTEXT and SASL_SSL, but security is {self.security}"
            )
        if not (sasl and self.mechanism == "OAUTHBEARER") and (self.token_file or self.oauth_url):
            wrong.append("token_file and oauth_url are for mechanism OAUTHBEARER with SASL_SSL or SASL_PLAINTEXT")
        if not tls and (self.ca_file or self.certificate_file or self.key_file):
            wrong.append(
                f"ca_file, certificate_file and key_file are for SSL and SASL_SSL, but security is {self.security}"
            )
        if (self.certificate_file is None) != (self.key_file is None):
            wrong.append("certificate_file and key_file must be set together")
        return wrong

    def _login_contradictions(self) -> list[str]:
        if self.mechanism != "OAUTHBEARER":
            if self.username is None or self.password_file is None:
                return [f"security {self.security} needs username and password_file"]
            return []
        wrong = []
        if self.username is not None or self.password_file is not None:
            wrong.append("username and password_file are for SCRAM and PLAIN, but mechanism is OAUTHBEARER")
        if (self.token_file is None) == (self.oauth_url is None):
            wrong.append("mechanism OAUTHBEARER needs either token_file or oauth_url")
        if self.oauth_url is not None:
            if self.oauth_client_id is None or self.oauth_client_secret_file is None:
                wrong.append("oauth_url needs oauth_client_id and oauth_client_secret_file")
            if not self.oauth_url.startswith("https://"):
                wrong.append("oauth_url is http://, which sends the client's secret unencrypted; use https://")
        return wrong


# A key is needed as long as the oldest dead letter (DEAD_LETTER_DAYS): keys of a week would fit.
MOST_PHI_KEYS: Final = 8


class TopicSettings(Section):
    """The five topics, with the same number of partitions and the same durability."""

    prefix: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{0,128}$")] = Field(
        "collate-gateway.", description="Prefix of all topic names."
    )
    partitions: Annotated[int, Field(ge=1, le=1_000)] = Field(
        12, description="Partitions of each topic; never change it, because it determines an authorization's partition."
    )
    replication: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="Replicas of each record; they determine the durability behind a 202 response."
    )
    min_insync: Annotated[int, Field(ge=1, le=10)] = Field(
        2, description="Replicas that must have a record before it counts as written."
    )
    phi_key_file: Path | None = Field(
        None,
        description=(
            f"File with 1 to {MOST_PHI_KEYS} keys for the free text in `commands` and `dead-letters`, one a line: 32 "
            "random bytes in base64, and the day of its first use. The first encrypts, all decrypt; only ingress and "
            "workers read it."
        ),
    )

    def contradictions(self) -> list[str]:
        """Check that `min_insync` does not exceed `replication`."""
        if self.min_insync > self.replication:
            return [f"min_insync {self.min_insync} can't be more than replication {self.replication}"]
        return []
