"""Logs on standard error: one line per event, with a static event name and fields, also for libraries.

An event is named `area.object_past_participle`, such as `kafka.topics_found`. A field never holds PHI or a secret.
Tracebacks contain no local variables and no input quoted by a validation error.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TextIO, cast

import structlog
from pydantic_core import to_json
from structlog.typing import FilteringBoundLogger, Processor

from runtime.outages.line_limit import REPEATED_EVENTS, LimitOwner, LineLimit, system_of
from runtime.settings import LogSettings
from runtime.tracebacks import traceback_text

Log = FilteringBoundLogger
Fields = MutableMapping[str, Any]

# Only warnings and errors of these libraries are logged.
_QUIET = ("aiokafka", "asyncio", "httpcore", "httpx", "uvicorn", "uvicorn.error")
# The gateway writes its own line per request.
_SILENT = ("uvicorn.access",)


def configure_logs(settings: LogSettings, process: str, stream: TextIO | None = None) -> None:
    """Write the gateway's and the libraries' lines to the stream (standard error) in the set format and level."""
    out = LineStream(sys.stderr if stream is None else stream)
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    render = _to_json if settings.format == "json" else _to_console(out)
    shared: list[Processor] = [_Lead(process, out), _format_exception, render]
    limit = LineLimit()
    structlog.configure(
        processors=[shared[0], _Limited(limit), *shared[1:]],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", out)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(cast("TextIO", out))
    handler.addFilter(_LibraryLimit(limit))
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[_from_library, *shared]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)


class LineStream:
    """A text stream for lines. Frequent lines of one pass of the event loop are written with one system call.

    The order of all lines is kept. A process that is killed loses the frequent lines of the pass that it was in.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._waiting: list[str] = []
        self.isatty = out.isatty

    def write(self, text: str) -> None:
        """Write the text after the lines that wait."""
        waiting, self._waiting = self._waiting, []
        self._out.write("".join((*waiting, text)))

    def flush(self) -> None:
        """Pass what was written on to the system."""
        self._out.flush()

    def write_soon(self, line: str) -> None:
        """Write the line and a line feed at the end of this pass of the event loop; without a loop, immediately."""
        self._waiting.append(line + "\n")
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self._write_waiting)
            except RuntimeError:
                self._write_waiting()

    def _write_waiting(self) -> None:
        if self._waiting:
            self.write("")
            self.flush()


def get_log(**fields: Any) -> Log:
    """Return a log that adds the fields to each line and follows later changes of the configuration."""
    return cast("Log", structlog.get_logger(**fields))


def line_writer(event: str, level: Literal["info", "warning"] = "info") -> Callable[[dict[str, Any]], None]:
    """Return a function that writes lines of one event with the current configuration, at a third of the cost of a log.

    Use it for the frequent lines (request, attempt, outcome), which have no exception. It ignores later
    `configure_logs`.
    """
    config = structlog.get_config()
    logger, (lead, *_, render) = config["logger_factory"](), config["processors"]
    if not get_log().is_enabled_for(logging.getLevelNamesMapping()[level.upper()]):
        return lambda _fields: None
    if not isinstance(lead, _Lead):  # the process has not configured its logs
        return lambda fields: getattr(get_log(), level)(event, **fields)
    write, lead_fields = lead.stream.write_soon, lead.line(level, event, {})
    return lambda fields: write(render(logger, level, {**lead_fields, "time": _now(), **fields}))


class LineWriters(dict[str, Callable[[dict[str, Any]], None]]):
    """Line writers by event, each created at its first use."""

    def __missing__(self, event: str) -> Callable[[dict[str, Any]], None]:
        """Create the writer of an event."""
        writer = self[event] = line_writer(event)
        return writer


class _Lead:
    """Puts time, level, event and process before the fields of a line."""

    def __init__(self, process: str, stream: LineStream) -> None:
        self._process = process
        self.stream = stream

    def __call__(self, _logger: Any, method: str, fields: Fields) -> Fields:
        return self.line("error" if method == "exception" else method, fields.pop("event", ""), fields)

    def line(self, level: str, event: Any, fields: Fields) -> Fields:
        return {"time": _now(), "level": level, "event": event, "process": self._process, **fields}


def _now() -> str:
    second, ms = divmod(time.time_ns() // 1_000_000, 1_000)
    return f"{_text_of(second)}.{ms:03}Z"


@lru_cache(maxsize=1)
def _text_of(second: int) -> str:
    return datetime.fromtimestamp(second, tz=UTC).isoformat()[:-6]


class _Limited(LimitOwner):
    """Drops the lines that an outage repeats; a written line says how many were dropped before it."""

    def __call__(self, _logger: Any, _method: str, fields: Fields) -> Fields:
        event = fields["event"]
        if (system := REPEATED_EVENTS.get(event)) is None:
            return fields
        hidden = self.limit.admit(event, system, time.monotonic())
        if hidden is None:
            raise structlog.DropEvent
        return {**fields, "lines_hidden": hidden} if hidden else fields


class _LibraryLimit(logging.Filter):
    """Drops a library's line if it wrote the same message, with any values, within the last minute."""

    def __init__(self, limit: LineLimit) -> None:
        super().__init__()
        self._limit = limit

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, record.levelno, str(record.msg))
        hidden = self._limit.admit(kind, system_of(record.name), time.monotonic())
        if hidden:
            record.lines_hidden = hidden
        return hidden is not None


def _format_exception(_logger: Any, _method: str, fields: Fields) -> Fields:
    found = fields.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else sys.exception() if found is True else found
    if isinstance(error, BaseException):
        fields["error"] = type(error).__name__
        fields["traceback"] = traceback_text(error)
    return fields


def _from_library(_logger: Any, _method: str, fields: Fields) -> Fields:
    record: logging.LogRecord = fields["_record"]
    line: Fields = {"event": "process.library_logged", "logger": record.name, "message": fields["event"]}
    if hidden := getattr(record, "lines_hidden", 0):
        line["lines_hidden"] = hidden
    if "exc_info" in fields:
        line["exc_info"] = fields["exc_info"]
    return line


def _to_json(logger: Any, method: str, fields: Fields) -> str:
    try:
        return to_json(fields, fallback=str, ensure_ascii=True).decode()
    except ValueError:
        # A library's message may hold half a surrogate pair, which only the slower writer escapes.
        return cast("str", _JSON(logger, method, fields))


_JSON = structlog.processors.JSONRenderer(default=str)


def _to_console(out: LineStream) -> Callable[[Any, str, Fields], str]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=out.isatty(), sort_keys=False, timestamp_key="time", pad_event_to=28
    )

    def to_console(logger: Any, method: str, fields: Fields) -> str:
        text = fields.pop("traceback", None)
        fields["time"] = fields["time"][11:-1]
        line = renderer(logger, method, fields)
        return line if text is None else f"{line}\n{text}"

    return to_console
