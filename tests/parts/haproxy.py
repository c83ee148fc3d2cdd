"""HAProxy before two ingresses and the console: long answers, slow clients, and a story under load with judge."""

import asyncio
import contextlib
import time

import httpx

from local.installation import Program
from local.processes.ports import free_ports
from local.scene.scene import Scene, Setup, open_scene, progress
from tests.parts.page import lines

# Longer than the proxy's timeouts: a stream without heartbeats would end before.
IDLE_SECONDS = 65
SLOW_CLIENTS = 100
AT_ONCE_SECONDS = 2.0
CASES_PER_SECOND = 2.0


def play() -> list[str]:
    """Return what was red."""
    return asyncio.run(_play())


async def _play() -> list[str]:
    log = progress()
    async with open_scene(Setup(name="haproxy", ingresses=2), log) as scene:
        port, console_port = free_ports(2)
        url, console_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{console_port}"
        settings = {
            "GATEWAY_CONSOLE__API_URL": url,
            "GATEWAY_CONSOLE__HOST": "127.0.0.1",
            "GATEWAY_CONSOLE__PORT": str(free_ports(1)[0]),
            "GATEWAY_CONSOLE__COOKIE_KEY_FILE": str(scene.run.directory / "cookie-key"),
            "GATEWAY_CONSOLE__LINK_DIRECTORY": str(scene.run.directory),
            "GATEWAY_CONSOLE__KEY_SIGN_IN": "true",
            "GATEWAY_CONSOLE__SESSION_ORIGINS": scene.sim.url,
            "GATEWAY_CONSOLE__PUBLIC_URL": console_url,
        }
        console_at = int(settings["GATEWAY_CONSOLE__PORT"])
        console = scene.installation.start("console", port=console_at, settings=settings)
        await asyncio.to_thread(console.await_ready)
        configuration = scene.run.directory / "haproxy.cfg"
        configuration.write_text(
            lines("text")
            + _section("ingress", port, scene.of_kind("ingress"))
            + _section("console", console_port, [console])
        )
        scene.run.spawn(["haproxy", "-db", "-f", configuration], log=scene.run.directory / "haproxy.log")
        async with httpx.AsyncClient(timeout=40, trust_env=False) as http:

            async def healthy() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    return (await http.get(f"{console_url}/sign-in")).is_success
                return False

            await scene.until(healthy, 20, "a console behind HAProxy")
            red = await _long_answers(scene, http, url)
            log(f"long answers, slow clients: {red or 'green'}")
            red += await _console(http, console_url, scene.keys["on-call"])
            log(f"console: {red or 'green'}")
        scene.callers._urls[:] = [url]
        load = asyncio.create_task(scene.callers.run_until(float("inf"), CASES_PER_SECOND))
        for name in ("ingress-0", "ingress-1"):
            await asyncio.sleep(5)
            if code := await scene.replace(name):
                red.append(f"{name} stopped with exit code {code}")
        await scene.kill("ingress-0")
        await asyncio.sleep(3)
        await scene.start("ingress-0")
        await asyncio.sleep(3)
        await scene.end_load(load, 60)
        evidence, broken = await scene.verdict(60, log)
        log(", ".join(f"{count} {what}" for what, count in scene.counts(evidence).items()))
        return red + [f"{promise.rule}: {promise.where}" for promise in broken]


def _section(name: str, port: int, programs: list[Program]) -> str:
    servers = [
        f"  server {program.name} {program.url.removeprefix('http://')} port {program.admin_url.rpartition(':')[2]}"
        for program in programs
    ]
    return "\n".join([f"\nlisten {name}", f"  bind 127.0.0.1:{port}", *servers, ""])


async def _long_answers(scene: Scene, http: httpx.AsyncClient, url: str) -> list[str]:  # noqa: C901 - one stage after the other
    """Hold an idle stream, a request that waits and slow clients at the same time."""
    red, own = [], {"Authorization": f"Bearer {scene.keys['on-call']}"}
    seen = asyncio.Event()
    (late, prompt) = scene.sim.create("waiting_on_payer")[0], scene.sim.create("waiting_on_payer")[0]

    async def follow() -> None:
        async with http.stream("GET", f"{url}/v1/events", headers=own) as stream:
            async for line in stream.aiter_lines():
                if prompt in line:
                    seen.set()
                    return

    async def watch(authorization: str, wait: int) -> tuple[int, float]:
        began = time.monotonic()
        headers = own | {"Idempotency-Key": authorization, "Prefer": f"wait={wait}"}
        answer = await http.post(f"{url}/v1/authorizations/{authorization}/watch", json={}, headers=headers)
        return answer.status_code, time.monotonic() - began

    following = asyncio.create_task(follow())
    slow = [asyncio.create_task(_send_slowly(url, scene.keys["on-call"], number)) for number in range(SLOW_CLIENTS)]
    scene.sim.fault("answer", status=429, code="rate_limited", retryAfter="1", retryable=True)
    status, seconds = await watch(late, 30)
    if status != 202 or seconds < 29:
        red.append(f"Prefer: wait=30 was answered with {status} after {seconds:.1f} s")
    scene.sim.faults.clear()
    await asyncio.sleep(IDLE_SECONDS - seconds)
    if following.done():
        red.append("the idle event stream has ended")
    status, seconds = await watch(prompt, 10)
    if status != 200 or seconds > AT_ONCE_SECONDS:
        red.append(f"beside slow clients a watch was answered with {status} after {seconds:.1f} s")
    try:
        async with asyncio.timeout(AT_ONCE_SECONDS):
            await seen.wait()
    except TimeoutError:
        red.append("the event stream shows no event at once")
    following.cancel()
    if still := [task for task in slow if not task.done()]:
        red.append(f"{len(still)} slow clients are still connected after {IDLE_SECONDS} s")
    for task in still:
        task.cancel()
    await asyncio.gather(following, *slow, return_exceptions=True)
    return red


async def _send_slowly(url: str, key: str, number: int) -> None:
    """Send a byte a second until the other side ends it: half of the clients the head, half the body."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/authorizations/auth_slow/watch HTTP/1.1\r\nHost: slow\r\n")
    if number % 2:
        writer.write(f"Authorization: Bearer {key}\r\nIdempotency-Key: slow-{number}\r\n".encode())
        writer.write(b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
    try:
        ended = asyncio.create_task(reader.read())
        while not ended.done():
            writer.write(b" " if number % 2 else b"x")
            await writer.drain()
            await asyncio.wait({ended}, timeout=1)
    except ConnectionError:
        return
    finally:
        ended.cancel()
        writer.close()


async def _console(http: httpx.AsyncClient, url: str, key: str) -> list[str]:
    """Sign in by key, open a page, and wait for its stream's first heartbeat."""
    red = []
    form = {"name": "jo.miller", "key": key, "return": "/"}
    own = {"origin": url, "sec-fetch-site": "same-origin"}
    signed_in = await http.post(f"{url}/sign-in/key", data=form, headers=own)
    page = await http.get(f"{url}/", headers={"sec-fetch-mode": "navigate"})
    if (signed_in.status_code, page.status_code) != (303, 200):
        red.append(f"console: sign-in {signed_in.status_code}, page {page.status_code}")
    try:
        async with (
            asyncio.timeout(20),
            http.stream("GET", f"{url}/events/stream", headers={"accept": "text/event-stream"}) as stream,
        ):
            await anext(stream.aiter_lines())
    except (TimeoutError, StopAsyncIteration, httpx.TransportError) as error:
        red.append(f"console: its event stream shows nothing: {error!r}")
    return red
