"""Settings of the web pages for people."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from runtime.environ import Section
from runtime.settings.addresses import HttpUrl, Origin, Origins, Port, is_this_machine
from runtime.units import Duration, Labels, Names


class ConsoleSettings(Section):
    """The web pages for people, `gateway console`: their address, how people sign in, and the API behind them."""

    host: str = Field("0.0.0.0", description="Address that the console listens on.")  # noqa: S104 - a container's only interface
    port: Port = Field(8090, description="Port that the console listens on; 0 selects a free port.")
    public_url: Origin | None = Field(
        None,
        description="Address in people's browsers, e.g. https://handoffs.example, without path; "
        "http:// only for 127.0.0.1, ::1 and localhost.",
    )
    api_url: HttpUrl | None = Field(
        None, description="URL of the gateway's HTTP API that every page calls, e.g. http://gateway-ingress:8080."
    )
    api_ca_file: Path | None = Field(
        None, description="PEM file with the trusted certificate authorities of `api_url`; by default, the system's."
    )
    cookie_key_file: Path | None = Field(
        None,
        description="File with the keys of the session cookies: one or two lines, each 32 random bytes in base64. "
        "The first encrypts, both decrypt. Only `trust_bearer` alone needs no key.",
    )
    idle_after: Duration = Field(
        timedelta(minutes=15), description="How long after a person's last action the session ends."
    )
    handoff_idle_after: Duration = Field(
        timedelta(minutes=45),
        description="How long after a person's last action the session ends at the earliest, while the person holds an "
        "open handoff with an issued link, and its workbench stays open; 0s: as any other session.",
    )
    session_life: Duration = Field(timedelta(hours=12), description="Maximum duration of a session.")
    oidc_issuer: HttpUrl | None = Field(
        None, description="Issuer (OIDC) that people sign in at; also an issuer of people in the callers file."
    )
    oidc_client_id: str | None = Field(None, description="Client id of the console at `oidc_issuer`.")
    oidc_client_secret_file: Path | None = Field(
        None, description="File with the client's secret; without it the console is a public client with PKCE."
    )
    oidc_scope: Annotated[Names, Field(min_length=1)] = Field(
        ("openid",), description="Requested scopes, separated by commas; `openid` must be one of them."
    )
    oidc_resource: str | None = Field(
        None, description="Audience to request for the access token (RFC 8707 `resource`), if the issuer needs it."
    )
    trust_bearer: bool = Field(
        False,
        description="Accept `Authorization: Bearer` from a proxy that signs people in; it must be the only way in.",
    )
    key_sign_in: bool = Field(False, description="Let people sign in with a caller's API key and their name.")
    link_directory: Path | None = Field(
        None, description="Directory of the links that `make dev` prints; only if `public_url` is of this machine."
    )
    guide_url: HttpUrl | None = Field(
        None,
        description="Address of the page made from docs/operations.md, e.g. https://docs.example/operations.md; "
        "findings of the console link to its sections.",
    )
    session_origins: Origins = Field(
        (),
        description="Origins of Collate's session links, e.g. https://sessions.example, separated by commas; "
        "a browser opens a link only there.",
    )
    case_columns: Annotated[Labels, Field(max_length=4)] = Field(
        (),
        description="Metadata keys that are columns and filters of the work list, with their labels, separated by "
        "commas, e.g. case=Case number,team=Team; at most 4.",
    )
    payer_names: Labels = Field(
        (), description="Names of payers, by Collate's id, e.g. payer_example=Example Health; separated by commas."
    )
    stop_deadline: Duration = Field(timedelta(seconds=10), description="Time for pages in flight after SIGTERM.")

    def contradictions(self) -> list[str]:
        """Check the ways to sign in, and that sessions are encrypted in transit."""
        wrong = []
        public_url = self.public_url or ""
        here = is_this_machine(public_url)
        if public_url.startswith("http://") and not here:
            wrong.append("public_url is http://, which sends sessions unencrypted; use https://")
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            wrong.append("oidc_issuer and oidc_client_id must be set together")
        if self.oidc_client_secret_file is not None and self.oidc_client_id is None:
            wrong.append("oidc_client_secret_file needs oidc_client_id")
        if (self.oidc_issuer or "").startswith("http://") and not is_this_machine(self.oidc_issuer or ""):
            wrong.append("oidc_issuer is http://, which sends tokens unencrypted; use https://")
        if "openid" not in self.oidc_scope:
            wrong.append("oidc_scope must contain openid")
        if self.link_directory is not None and public_url and not here:
            wrong.append("link_directory needs a public_url of this machine, such as http://127.0.0.1:8090")
        if self.idle_after > self.session_life:
            wrong.append("idle_after is longer than session_life")
        return wrong
