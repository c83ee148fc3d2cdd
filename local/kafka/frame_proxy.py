"""A proxy between Kafka's clients and one broker each, which knows frames: `frame_rules` says what happens to them.

The proxies run in a thread of their own, so that a busy caller delays no frame. Connections between brokers do not pass
through them. The protocol must be plain text.
"""

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from typing import Any, Final, Self

from local.kafka.frame_rules import FrameAct, FrameRules, LateCommits
from local.kafka.frames import RequestFrame, answered_correlation, read_frame, request_frame

HELD_AT_MOST_SECONDS: Final = 20.0
ANSWERED_WITHIN_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.002
_SLOW_PARTS: Final = 10


class FrameProxies:
    """The proxies of all brokers. `rules` and `late_commits` may be replaced at any time."""

    def __init__(self, rules: FrameRules | None = None, late_commits: LateCommits | None = None) -> None:
        self.rules = rules or FrameRules()
        self.late_commits = late_commits or LateCommits(0.0)
        self.held = 0  # requests by a rule
        self._cut_until: defaultdict[tuple[FrameAct, int, str], float] = defaultdict(float)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[asyncio.Server] = []

    def open(self, brokers: Mapping[int, tuple[int, int]]) -> Self:
        """Listen for each broker: its number, the port for clients, and its own port."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="frame proxies", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(brokers), self._loop).result()
        return self

    def close(self) -> None:
        """Close all connections."""
        if self._loop is None:
            return
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = None

    async def _listen(self, brokers: Mapping[int, tuple[int, int]]) -> None:
        for number, (port, target) in brokers.items():

            async def connected(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int = number, target: int = target
            ) -> None:
                self.spawn(_Connection(self, number, reader, writer).run(target))

            self._servers.append(await asyncio.start_server(connected, "127.0.0.1", port))

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._servers.clear()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task until it ends, or until the proxies close."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cut(self, act: FrameAct, broker: int, client: str, seconds: float) -> None:
        """Let nothing of a client pass in one direction at a broker for some seconds."""
        self._cut_until[act, broker, client] = time.monotonic() + seconds

    async def passes(self, act: FrameAct, broker: int, client: str) -> None:
        """Wait until a direction is not cut."""
        while (left := self._cut_until[act, broker, client] - time.monotonic()) > 0:  # noqa: ASYNC110 - it may grow
            await asyncio.sleep(left)


class _Connection:
    """One client's connection to one broker."""

    def __init__(
        self, proxies: FrameProxies, broker: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxies, self._broker = proxies, broker
        self._reader, self._writer = reader, writer
        self._upstream: asyncio.StreamWriter
        self._sent: dict[int, tuple[RequestFrame, float]] = {}  # by correlation id: the request, the answer's delay
        self._client = ""
        self._is_held = False

    async def run(self, target: int) -> None:
        """Pass frames until an end closes the connection."""
        try:
            answers, self._upstream = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            self._writer.close()
            return
        passing = [asyncio.ensure_future(self._pass_requests()), asyncio.ensure_future(self._pass_answers(answers))]
        try:
            with contextlib.suppress(OSError):
                await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
                if self._is_held:
                    await passing[1]
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            self._writer.close()
            self._upstream.close()

    async def _pass_requests(self) -> None:
        while (data := await read_frame(self._reader)) is not None:
            frame = request_frame(data)
            self._client = frame.client
            while not self._proxies.late_commits.passes(frame):  # noqa: ASYNC110 - a synchronous rule
                await asyncio.sleep(_LOOK_SECONDS)
            if self._proxies.late_commits.holds(frame):
                self._sent[frame.correlation] = frame, 0.0
                self._proxies.spawn(self._release_in_transaction(frame))
                self._close_client()
                return
            chosen = self._proxies.rules.choose(self._broker, frame)
            await self._proxies.passes(FrameAct.CUT_REQUESTS, self._broker, self._client)
            if not await self._apply(frame, *chosen or (None, 0.0)):
                return

    async def _apply(self, frame: RequestFrame, act: FrameAct | None, seconds: float) -> bool:
        """Send a request as its rule says. Return whether the connection goes on."""
        # Before any wait: `_pass_answers` keeps the broker's connection while a request has no answer.
        self._sent[frame.correlation] = frame, seconds if act is FrameAct.DELAY_ANSWER else 0.0
        match act:
            case FrameAct.DELAY_REQUEST:
                await asyncio.sleep(seconds)
            case FrameAct.CUT_REQUESTS | FrameAct.CUT_ANSWERS:
                self._proxies.cut(act, self._broker, self._client, seconds)
                await self._proxies.passes(FrameAct.CUT_REQUESTS, self._broker, self._client)
            case FrameAct.HOLD:
                self._close_client()
                self._proxies.held += 1
                try:
                    await asyncio.sleep(seconds)
                finally:
                    self._proxies.held -= 1
            case FrameAct.DROP_AFTER:
                self._close_client()
            case FrameAct.DROP_BEFORE:
                self._writer.close()
                return False
            case _:
                pass
        size = len(frame.data) // _SLOW_PARTS + 1 if act is FrameAct.THROTTLE else len(frame.data)
        for begin in range(0, len(frame.data), size):
            self._upstream.write(frame.data[begin : begin + size])
            await self._upstream.drain()
            if act is FrameAct.THROTTLE:
                await asyncio.sleep(seconds / _SLOW_PARTS)
        return not self._is_held

    def _close_client(self) -> None:
        """Lose the answers: the client's connection ends, and the broker's stays until it has answered."""
        self._is_held = True
        self._writer.close()

    async def _pass_answers(self, answers: asyncio.StreamReader) -> None:
        while (data := await read_frame(answers)) is not None:
            frame, delay = self._sent.pop(answered_correlation(data), (None, 0.0))
            if frame is not None:
                self._proxies.late_commits.answered(frame)
            await asyncio.sleep(delay)
            await self._proxies.passes(FrameAct.CUT_ANSWERS, self._broker, self._client)
            if self._is_held:
                if not self._sent:
                    return
                continue
            self._writer.write(data)
            await self._writer.drain()

    async def _release_in_transaction(self, frame: RequestFrame) -> None:
        late, own = self._proxies.late_commits, frame.transactional_id or ""
        deadline = time.monotonic() + HELD_AT_MOST_SECONDS
        try:
            while not late.may_go(own) and time.monotonic() < deadline:  # noqa: ASYNC110 - a synchronous rule
                await asyncio.sleep(_LOOK_SECONDS)
            self._upstream.write(frame.data)
            async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
                while self._sent:  # noqa: ASYNC110 - the condition has no event
                    await asyncio.sleep(_LOOK_SECONDS)
        except (TimeoutError, OSError):
            pass
        finally:
            late.gone(own)
