"""A console over a scripted API, for states that are hard to produce: errors, old data, a thousand rows.

It runs in the event loop of the tests, so a test may change the answers while a page is open. Its clock is frozen.
"""

from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from local.processes.ports import free_ports
from runtime.serving import serving
from tests.unit.console.app import Answers, console_app, console_settings


@dataclass(slots=True)
class ScriptedConsole:
    """A console, and the answers of its API."""

    url: str
    answers: Answers

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return self.answers(request)


@asynccontextmanager
async def scripted_console(answers: Answers, **own: object):
    """Serve a console over the scripted API."""
    (port,) = free_ports(1)
    console = ScriptedConsole(f"http://127.0.0.1:{port}", answers)
    app = console_app(console, settings=console_settings(public_url=console.url, **own))
    async with serving(app, "127.0.0.1", port, stop_seconds=1):
        yield console
