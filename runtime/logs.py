"""Logs on standard error: one line per event, with a static event name and fields, also for libraries.

An event is named `area.object_past_participle`, such as `kafka.topics_found`. A field never holds PHI or a secret.
Tracebacks contain no local variables and no input quoted by a validation error.
"""

import logging
import re
import sys
import traceback
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO, cast

import structlog
from pydantic_core import to_json
from structlog.typing import FilteringBoundLogger, Processor

from runtime.settings import LogSettings

Log = FilteringBoundLogger
Fields = MutableMapping[str, Any]

# Only warnings and errors of these libraries are logged.
_QUIET = ("aiokafka", "asyncio", "httpcore", "httpx", "uvicorn", "uvicorn.error")
# The gateway writes its own line per request.
_SILENT = ("uvicorn.access",)
_QUOTED_INPUT = re.compile(r", input_value=.*, input_type=\w+\]")


def configure_logs(settings: LogSettings, process: str, stream: TextIO | None = None) -> None:
    """Write the gateway's and the libraries' lines to the stream (standard error) in the set format and level."""
    out = sys.stderr if stream is None else stream
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    render = _to_json if settings.format == "json" else _to_console(out)
    shared: list[Processor] = [structlog.contextvars.merge_contextvars, _lead_with(process), _format_exception, render]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[_from_library, *shared]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)


def get_log(**fields: Any) -> Log:
    """Return a log that adds the fields to each line and follows later changes of the configuration."""
    return cast("Log", structlog.get_logger(**fields))


def line_writer(event: str, level: Literal["info", "warning"] = "info") -> Callable[[dict[str, Any]], None]:
    """Return a function that writes lines of one event with the current configuration, at half the cost of a log.

    Use it for the frequent lines (request, attempt, outcome), which bind no fields. It ignores later `configure_logs`.
    """
    config = structlog.get_config()
    logger, processors = config["logger_factory"](), config["processors"]
    if not get_log().is_enabled_for(logging.getLevelNamesMapping()[level.upper()]):
        return lambda _fields: None

    def write(fields: dict[str, Any]) -> None:
        line: Any = {"event": event, **fields}
        for process in processors:
            line = process(logger, level, line)
        logger.msg(line)

    return write


class LineWriters(dict[str, Callable[[dict[str, Any]], None]]):
    """Line writers by event, each created at its first use."""

    def __missing__(self, event: str) -> Callable[[dict[str, Any]], None]:
        """Create the writer of an event."""
        writer = self[event] = line_writer(event)
        return writer


def traceback_text(error: BaseException) -> str:
    """Format an exception and its causes without local variables and quoted input."""
    return _QUOTED_INPUT.sub("]", "".join(traceback.format_exception(error)).rstrip())


def _lead_with(process: str) -> Processor:
    def lead(_logger: Any, method: str, fields: Fields) -> Fields:
        now = datetime.now(tz=UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        level = "error" if method == "exception" else method
        return {"time": now, "level": level, "event": fields.pop("event", ""), "process": process, **fields}

    return lead


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


def _to_console(out: TextIO) -> Callable[[Any, str, Fields], str]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=out.isatty(), sort_keys=False, timestamp_key="time", pad_event_to=28
    )

    def to_console(logger: Any, method: str, fields: Fields) -> str:
        text = fields.pop("traceback", None)
        fields["time"] = fields["time"][11:-1]
        line = renderer(logger, method, fields)
        return line if text is None else f"{line}\n{text}"

    return to_console
