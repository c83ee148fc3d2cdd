"""Keycloak as the issuer of two consoles, driven in a browser."""

import asyncio
import hashlib
import hmac
import json
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Error, Page, expect

from local.browser.launch import launched
from local.failures import StartFailed
from local.processes.ports import free_ports
from local.scene.scene import Scene, Setup, open_scene, progress
from tests.parts.keycloak_server import DISTRIBUTION, Keycloak
from tests.parts.page import lines

PERSON, PASSWORD, OTP_SECRET = "jo.miller", "correct horse", "a-secret-of-20-bytes"
TOKEN_SECONDS = 45
# The console renews a token from 30 s before its end.
RENEWED_AFTER_SECONDS = TOKEN_SECONDS - 30 + 1
OTP_SECONDS = 30
PATIENCE_MS = 15_000
SNAPSHOT = "I have read this snapshot"
ADDITIONS = {
    "accessTokenLifespan": TOKEN_SECONDS,
    "eventsEnabled": True,
    "enabledEventTypes": ["REFRESH_TOKEN", "REFRESH_TOKEN_ERROR"],
    "users": [
        {
            "username": PERSON,
            "enabled": True,
            "email": "jo@example.com",
            "firstName": "Jo",
            "lastName": "Miller",
            "groups": ["/handoff-staff"],
            "credentials": [
                {"type": "password", "value": PASSWORD},
                {
                    "type": "otp",
                    "secretData": json.dumps({"value": OTP_SECRET}),
                    "credentialData": json.dumps(
                        {"subType": "totp", "digits": 6, "period": OTP_SECONDS, "algorithm": "HmacSHA1"}
                    ),
                },
            ],
        }
    ],
}


def play() -> list[str]:
    """Return what was red."""
    return asyncio.run(_play())


async def _play() -> list[str]:
    log = progress()
    async with open_scene(Setup(name="keycloak", workers=1), log) as scene, launched() as browser:
        ports = free_ports(2)
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        keycloak = await asyncio.to_thread(Keycloak, scene.run, urls[0], ADDITIONS)
        await asyncio.to_thread(_start_consoles, scene, ports, keycloak.issuer)
        seconds = await scene.until(keycloak.is_ready, 120, "Keycloak")
        log(f"Keycloak {DISTRIBUTION.version} answers after {seconds:.0f} s more")
        day = _Day(scene, browser, keycloak, urls)
        for stage in (day.sign_in, day.refresh, day.second_factor, day.rotation, day.restart, day.sign_out):
            try:
                await stage()
            except (Error, AssertionError, StartFailed) as error:
                return [f"{stage.__name__}: {' '.join(str(error).split())[:80]}: {await day.shown()}"]
            log(f"{stage.__name__.replace('_', ' ')}: green")
    return []


def _start_consoles(scene: Scene, ports: Sequence[int], issuer: str) -> None:
    """Add the page's entries to the callers file, and start two consoles, as the chart does. A browser sends a cookie
    to all ports of a host, so it has one session at both.
    """
    callers = Path(scene.installation.environ["GATEWAY_INGRESS__CALLERS_FILE"])
    people = lines("toml", "operations.md").replace("https://login.example/realms/staff", issuer)
    callers.write_text(f"{callers.read_text()}\n{people}")
    settings = {
        "GATEWAY_CONSOLE__API_URL": scene.of_kind("ingress")[0].url,
        "GATEWAY_CONSOLE__HOST": "127.0.0.1",
        "GATEWAY_CONSOLE__PUBLIC_URL": f"http://127.0.0.1:{ports[0]}",
        "GATEWAY_CONSOLE__COOKIE_KEY_FILE": str(scene.run.directory / "cookie-key"),
        "GATEWAY_CONSOLE__OIDC_ISSUER": issuer,
        "GATEWAY_CONSOLE__OIDC_CLIENT_ID": "console",
        "GATEWAY_CONSOLE__SESSION_ORIGINS": scene.sim.url,
    }
    for port in ports:
        own = settings | {"GATEWAY_CONSOLE__PORT": str(port)}
        scene.installation.start("console", f"console-{port}", settings=own).await_ready()


@dataclass
class _Day:
    """One stage after the other, in the browser of a person."""

    scene: Scene
    browser: Browser
    keycloak: Keycloak
    urls: Sequence[str]
    page: Page = field(init=False)
    work: str = field(init=False)

    @property
    def url(self) -> str:
        """The console's public address."""
        return self.urls[0]

    async def sign_in(self) -> None:
        """The console's link leads to Keycloak, and back to the page that was asked for."""
        self.page = await self._signed_in(await self._context())

    async def refresh(self) -> None:
        """Two tabs at once renew the same token at two consoles, and the person stays signed in."""
        await self._stays_signed_in(self.page, await self.page.context.new_page())

    async def second_factor(self) -> None:
        """A page with a patient's data needs the code of the person's device, and no more than that."""
        (authorization,) = self.scene.sim.create(review_backed=True)
        own = {"Authorization": f"Bearer {self.scene.keys['on-call']}", "Idempotency-Key": authorization}
        ingress = self.scene.of_kind("ingress")[0].url
        await self.scene.http.post(f"{ingress}/v1/authorizations/{authorization}/watch", json={}, headers=own)
        self.work = f"{self.url}/authorizations/{authorization}/work"
        code = self.page.locator("input[name=otp]")

        async def is_asked() -> bool:
            await self.page.goto(self.work)
            return await code.is_visible()

        await self.scene.until(is_asked, 20, "Keycloak's question for the second factor")
        assert await is_asked(), "who goes away without the code is not asked again"
        await code.fill("000000")
        await self.page.locator("#kc-login").click()
        await expect(self.page.get_by_text("Invalid authenticator code")).to_be_visible()
        await expect(self.page.locator("input[name=password]")).to_have_count(0)
        await code.fill(_one_time_code())
        await self.page.locator("#kc-login").click()
        await self.page.get_by_role("link", name="Open the page").click()
        await expect(self.page.get_by_text(SNAPSHOT).first).to_be_visible()

    async def rotation(self) -> None:
        """A new key signs and the old one goes: sessions stay, with the second factor, and people sign in."""
        old = await self.keycloak.rotate_keys()
        await self._signed_in(other := await self._context())
        await self._stays_signed_in(self.page)
        await self.keycloak.administer("DELETE", f"/components/{old}")
        await self._stays_signed_in(self.page, other.pages[0])
        await self.page.goto(self.work)
        await expect(self.page.get_by_text(SNAPSHOT).first).to_be_visible()
        await self._signed_in(await self._context())

    async def restart(self) -> None:
        """Pages are shown while Keycloak is away; then sessions are renewed, and people sign in."""
        await self._stays_signed_in(self.page)
        await asyncio.to_thread(self.keycloak.stop)
        await self._shows_the_person(self.page, self.url)
        self.keycloak.start()
        await self.scene.until(self.keycloak.is_ready, 90, "Keycloak after its restart")
        await self._stays_signed_in(self.page)
        await self._signed_in(await self._context())

    async def sign_out(self) -> None:
        """The person leaves the console, then Keycloak; the next sign-in asks for the password."""
        await self.page.goto(self.url)
        await self.page.get_by_role("group").get_by_text(PERSON).click()
        await self.page.get_by_role("button", name="Sign out").click()
        await self.page.get_by_role("link", name="sign out there too").click()
        await self.page.locator("#kc-logout").click()
        await self.page.wait_for_url(f"{self.url}/sign-in")
        await self.page.get_by_role("link", name="Sign in with your organization's account").click()
        await expect(self.page.locator("input[name=password]")).to_be_visible()

    async def shown(self) -> str:
        """Return what the newest page shows, without its query."""
        page = [page for context in self.browser.contexts for page in context.pages][-1]
        text = " ".join((await page.locator("body").inner_text()).split())
        return f"{page.url.partition('?')[0]} shows {text[-200:]}"

    async def _context(self) -> BrowserContext:
        context = await self.browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        return context

    async def _signed_in(self, context: BrowserContext) -> Page:
        page = await context.new_page()
        await page.goto(f"{self.url}/developers?from=a-bookmark")
        await page.get_by_role("link", name="Sign in with your organization's account").click()
        await page.locator("input[name=username]").fill(PERSON)
        await page.locator("input[name=password]").fill(PASSWORD)
        await page.locator("#kc-login").click()
        await page.wait_for_url(f"{self.url}/developers?from=a-bookmark")
        await expect(page.get_by_role("group").get_by_text(PERSON)).to_be_visible()
        return page

    async def _stays_signed_in(self, *tabs: Page) -> None:
        """Load all tabs at once, each from another console, when the token is to be renewed."""
        before = await self.keycloak.events("REFRESH_TOKEN")
        await asyncio.sleep(RENEWED_AFTER_SECONDS)
        await asyncio.gather(*(self._shows_the_person(*at) for at in zip(tabs, self.urls, strict=False)))
        assert await self.keycloak.events("REFRESH_TOKEN") > before, "no token was renewed"
        assert await self.keycloak.events("REFRESH_TOKEN_ERROR") == 0, "Keycloak refused to renew a token"

    async def _shows_the_person(self, tab: Page, url: str) -> None:
        await tab.goto(f"{url}/developers")
        await expect(tab.get_by_role("group").get_by_text(PERSON)).to_be_visible()


def _one_time_code() -> str:
    """Return the code of RFC 6238 for now."""
    digest = hmac.digest(OTP_SECRET.encode(), struct.pack(">Q", int(time.time()) // OTP_SECONDS), hashlib.sha1)
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4]) & 0x7FFFFFFF) % 10**6:06}"
