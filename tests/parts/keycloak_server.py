"""A Keycloak with the realm of docs/examples/keycloak.json, in its production mode, over http on this machine."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

import httpx

from local.kafka.jars import fetch, read_lock
from local.processes.cache import cache_directory
from local.processes.ports import free_ports
from local.processes.run import Run, stop
from tests.parts.page import DOCS

(DISTRIBUTION,) = read_lock(Path(__file__).with_name("keycloak.lock.toml"))
ADMINISTRATOR: Final = {"username": "administrator", "password": "of-this-run"}


class Keycloak:
    """The server; `issuer` is its realm. A restart keeps the database, as in production."""

    def __init__(self, run: Run, console: str, additions: dict[str, Any]) -> None:
        """`additions` are members of the realm that the page's file lacks, such as its people."""
        (archive,) = fetch([DISTRIBUTION], cache_directory() / "jars", "Keycloak")
        shutil.unpack_archive(archive, run.directory)
        (self._home,) = run.directory.glob("keycloak-*")
        (port,) = free_ports(1)
        self._run, self._url = run, f"http://127.0.0.1:{port}"
        self.issuer = f"{self._url}/realms/staff"
        realm = (DOCS / "examples/keycloak.json").read_text().replace("https://handoffs.example.com", console)
        imported = self._home / "data" / "import"
        imported.mkdir(parents=True)
        (imported / "staff.json").write_text(json.dumps(json.loads(realm) | additions))
        self._argv = [
            *("sh", str(self._home / "bin" / "kc.sh"), "start", "--import-realm", "--db=dev-file", "--cache=local"),
            *("--http-enabled=true", "--http-host=127.0.0.1", f"--http-port={port}", f"--hostname={self._url}"),
        ]
        self.start()

    def start(self) -> None:
        """Start the server without waiting."""
        # A short run gains nothing from the second compiler.
        environ = os.environ | {"JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"}
        environ |= {f"KC_BOOTSTRAP_ADMIN_{name.upper()}": value for name, value in ADMINISTRATOR.items()}
        log = self._run.directory / "keycloak.log"
        self._process = self._run.spawn(self._argv, log=log, environ=environ)

    def stop(self) -> None:
        """Stop the server with SIGTERM."""
        stop([self._process], 30)

    async def is_ready(self) -> bool:
        """Return whether the realm answers."""
        async with httpx.AsyncClient(trust_env=False) as http:
            try:
                return (await http.get(f"{self.issuer}/.well-known/openid-configuration")).is_success
            except httpx.TransportError:
                return False

    async def administer(self, method: str, path: str, body: object = None) -> Any:
        """Call the realm's administration API; return the answer."""
        form = {"grant_type": "password", "client_id": "admin-cli", **ADMINISTRATOR}
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            granted = await http.post(f"{self._url}/realms/master/protocol/openid-connect/token", data=form)
            headers = {"Authorization": f"Bearer {granted.raise_for_status().json()['access_token']}"}
            answer = await http.request(method, f"{self._url}/admin/realms/staff{path}", json=body, headers=headers)
        return answer.raise_for_status().json() if answer.content else None

    async def events(self, kind: str) -> int:
        """Return how many events of a kind the realm has recorded."""
        return len(await self.administer("GET", f"/events?type={kind}&max=100"))

    async def rotate_keys(self) -> str:
        """Let a new key sign; the old one only verifies. Return the id of the old one's component."""
        keys = await self.administer("GET", "/keys")
        old = next(key["providerId"] for key in keys["keys"] if key["kid"] == keys["active"]["RS256"])
        component = await self.administer("GET", f"/components/{old}")
        fresh = {name: component[name] for name in ("providerId", "providerType", "parentId")}
        await self.administer("POST", "/components", fresh | {"name": "next", "config": {"priority": ["200"]}})
        await self.administer("PUT", f"/components/{old}", component | {"config": {"active": ["false"]}})
        return str(old)
