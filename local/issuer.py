"""A local OIDC issuer: people get tokens from it, and the gateway reads its keys over HTTP.

It checks no password: every client that reaches it gets a token for any name. Tests, `make demo` and `make dev`
use it on the loopback address. `python -m local.issuer PORT TOKEN_SECONDS GROUP…` runs it as a process of its own.
"""

import http.server
import json
import secrets
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwk, jwt

from local.authorization_codes import AuthorizationCodes, request_problem, sign_in_page

AUDIENCE = "collate-gateway"
ALGORITHM = "ES256"
TOKEN_SECONDS = 3600
MOST_BODY_BYTES = 16 << 10


class LocalIssuer:
    """`with LocalIssuer() as issuer:` serves its keys at `issuer.keys` and makes tokens.

    POST /token with the form fields `name` and `groups` (repeatable) returns a token. Browsers use GET /authorize: the
    code flow with PKCE, whose page offers `groups`.
    """

    def __init__(self, groups: Sequence[str] = (), port: int = 0, token_seconds: int = TOKEN_SECONDS) -> None:
        self.groups = tuple(groups)
        self.token_seconds = token_seconds
        self._codes = AuthorizationCodes()
        self._key = jwk.ECKey.generate_key("P-256", {"kid": "local-1", "use": "sig"})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="issuer", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.keys = f"{self.url}/jwks.json"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def token(self, name: str, groups: object = (), **claims: Any) -> str:
        """Return the token of a person. `claims` replace or add claims; None removes one."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": f"user-{name}",
            "iat": now,
            "exp": now + self.token_seconds,
            "preferred_username": name,
            "groups": list(groups) if isinstance(groups, Sequence) and not isinstance(groups, str) else groups,
        }
        held = {claim: value for claim, value in (usual | claims).items() if value is not None}
        return jwt.encode({"alg": ALGORITHM, "kid": self._key.kid}, held, self._key, algorithms=[ALGORITHM])

    def document(self, path: str) -> dict[str, Any] | None:
        """Return the document at a path."""
        match path:
            case "/.well-known/openid-configuration":
                return {
                    "issuer": self.url,
                    "jwks_uri": self.keys,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                    "id_token_signing_alg_values_supported": [ALGORITHM],
                    "authorization_response_iss_parameter_supported": True,
                }
            case "/jwks.json":
                return {"keys": [self._key.as_dict(private=False)]}
        return None

    def authorize(self, query: Mapping[str, str], name: str, groups: Sequence[str]) -> str:
        """Sign a person in, as the page of `/authorize` does; return the address that leads the browser back."""
        return self._codes.authorize(query, name, groups, self.url)

    def token_response(self, form: Mapping[str, Sequence[str]]) -> tuple[int, dict[str, Any]]:
        """Return the status and the answer to a token request: a code, a refresh token, or just a name."""
        single = {name: values[0] for name, values in form.items()}
        bearer = {"token_type": "Bearer", "expires_in": self.token_seconds}
        if "grant_type" not in single:
            if "name" not in single:
                return 400, {"error": "invalid_request"}
            return 200, bearer | {"access_token": self.token(single["name"], form.get("groups", []))}
        grant = self._codes.redeem(single)
        if grant is None:
            return 400, {"error": "invalid_grant"}
        return 200, bearer | {
            "access_token": self.token(
                grant.name, grant.groups, jti=secrets.token_hex(8), acr=grant.acr, auth_time=grant.signed_in_at
            ),
            "id_token": self.token(grant.name, None, aud=grant.client_id, nonce=grant.nonce),
            "refresh_token": self._codes.refresh_token(grant),
        }

    def callers_file_entry(self, permissions: Mapping[str, Sequence[str]], prefix: str = "people") -> str:
        """Return the TOML of this issuer and its people, with the permissions of each group."""
        return callers_file_entry(self.url, permissions, prefix)


def callers_file_entry(url: str, permissions: Mapping[str, Sequence[str]], prefix: str = "people") -> str:
    """Return the TOML of the local issuer at a URL and its people, with the permissions of each group."""
    groups = "\n".join(f"{json.dumps(group)} = {json.dumps(list(may))}" for group, may in permissions.items())
    return (
        f'[[issuer]]\nurl = "{url}"\naudience = "{AUDIENCE}"\nalgorithms = ["{ALGORITHM}"]\n'
        f'keys = "{url}/jwks.json"\n\n[[people]]\nissuer = "{url}"\nprefix = "{prefix}"\n'
        f'name = "preferred_username"\ngroups = "groups"\n[people.permissions]\n{groups}\n'
    )


def _handler(issuer: LocalIssuer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if address.path == "/authorize":
                query = dict(parse_qsl(address.query))
                problem = request_problem(query)
                page = sign_in_page(query, issuer.groups) if problem is None else problem
                self._send(200 if problem is None else 400, "text/html; charset=utf-8", page.encode())
                return
            document = issuer.document(self.path)
            self._answer(404 if document is None else 200, document or {"error": "not_found"})

        def do_POST(self) -> None:
            length = min(int(self.headers.get("content-length", 0)), MOST_BODY_BYTES)
            form = parse_qs(self.rfile.read(length).decode("utf-8", "replace"))
            single = {name: values[0] for name, values in form.items()}
            if self.path == "/authorize" and "name" in form and request_problem(single) is None:
                self._redirect(issuer.authorize(single, single["name"], form.get("groups", [])))
            elif self.path == "/token":
                status, document = issuer.token_response(form)
                self._answer(status, document)
            else:
                self._answer(400, {"error": "invalid_request"})

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            self._send(status, "application/json", json.dumps(document).encode())

        def _redirect(self, address: str) -> None:
            self.send_response(303)
            self.send_header("location", address)
            self.send_header("content-length", "0")
            self.end_headers()

        def _send(self, status: int, media_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", media_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write no line: a token is never in a log."""

    return Handler


if __name__ == "__main__":
    with LocalIssuer(sys.argv[3:], int(sys.argv[1]), int(sys.argv[2])):
        threading.Event().wait()
