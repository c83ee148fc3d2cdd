"""The composition root of `gateway console`: read the settings, open the API's client, serve until SIGTERM."""

from functools import partial

from gateway.console.api import Api
from gateway.console.app import create_app
from runtime.gc import tune_gc
from runtime.process import Process, run
from runtime.serving import serving
from runtime.settings import ConsoleProcessSettings

# Connections of all browsers. A further one gets 503 from the server.
MOST_CONNECTIONS = 2_000


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
    async with (
        Api(own) as api,
        serving(
            create_app(settings, api, process.metrics.console),
            own.host,
            own.port,
            stop_seconds=own.stop_deadline.total_seconds(),
            limit_concurrency=MOST_CONNECTIONS,
        ) as server,
    ):
        process.watch("http", server.task)
        process.health.set("pages", "ok")
        process.log.info("console.listening", url=server.url, public_url=own.public_url)
        tune_gc()
        await process.stop.wait()
