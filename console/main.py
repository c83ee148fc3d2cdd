"""The composition root of `gateway console`: read the settings, open the API's client, serve until SIGTERM."""

from functools import partial
from typing import Final

from starlette.types import Scope

from console.api import Api
from console.app import create_app
from console.errors import rejection_page
from console.middleware import page_recorder
from console.security_headers import security_headers
from gateway.middleware.layers import RequestRecorder
from runtime.gc import tune_gc
from runtime.http_server.connections import ConnectionLimits, Connections
from runtime.http_server.port import Port
from runtime.http_server.server import limited_protocol
from runtime.process import Process, run
from runtime.serving import serving
from runtime.settings import ConsoleProcessSettings

# A session has up to four cookies of 3,800 characters.
LIMITS: Final = ConnectionLimits(header_bytes=24 << 10, head_bytes=40 << 10)


def serve(settings: ConsoleProcessSettings) -> int:
    """Run the process until it is stopped. Return its exit code."""
    seconds = settings.console.stop_deadline.total_seconds()
    return run("console", settings, partial(work, settings), stop_deadline_seconds=seconds)


async def work(settings: ConsoleProcessSettings, process: Process) -> None:
    """Serve the pages until `process.stop`.

    The process is ready as soon as it listens. While the API is unreachable, its pages say so: that helps more than a
    proxy's error page.
    """
    own = settings.console
    process.health.expect("pages")
    encrypted = (own.public_url or "").startswith("https://")
    connections = Connections("console", LIMITS, process.metrics, process.health)
    recorder = page_recorder(process.metrics.console)
    async with (
        Api(own) as api,
        serving(
            create_app(settings, api, recorder),
            own.host,
            own.port,
            stop_seconds=own.stop_deadline.total_seconds(),
            http=limited_protocol(console_port(connections, recorder, encrypted=encrypted)),
        ) as server,
    ):
        process.watch("http", server.task)
        process.spawn("connections", connections.run())
        process.health.set("pages", "ok")
        process.log.info("console.listening", url=server.url, public_url=own.public_url)
        tune_gc()
        await process.stop.wait()


def console_port(connections: Connections, recorder: RequestRecorder, *, encrypted: bool) -> Port:
    """Return the console's port. `encrypted`: browsers reach the console by https."""
    return Port(
        connections,
        rejection=partial(rejection_page, security_headers(encrypted=encrypted)),
        is_known=_has_person,
        on_rejected=recorder.record_rejected,
    )


def _has_person(scope: Scope) -> bool:
    return scope["state"].get("person") is not None
