"""Logs: one line per fact on standard error, a static event name and fields, ours and the libraries' alike.

Values that could be PHI or secrets don't belong in fields; tracebacks are written without local variables, and without
the input that a validation error quotes.
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

# These talk a lot about what is no news to us; what they warn of is.
_QUIET = ("aiokafka", "asyncio", "httpcore", "httpx", "uvicorn", "uvicorn.error")
# One line per request is ours to write.
_SILENT = ("uvicorn.access",)
_QUOTED_INPUT = re.compile(r", input_value=.*, input_type=\w+\]")


def configure_logs(settings: LogSettings, process: str, stream: TextIO | None = None) -> None:
    """Send our lines and the libraries' to the stream (standard error), in the format and from the level asked for."""
    out = sys.stderr if stream is None else stream
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    render = _to_json if settings.format == "json" else _to_console(out)
    ours: list[Processor] = [structlog.contextvars.merge_contextvars, _put_first(process), _tell_exception, render]
    structlog.configure(
        processors=ours,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[_from_library, *ours]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)


def get_log(**fields: Any) -> Log:
    """Return a log whose every line carries the fields; it follows the configuration of the moment."""
    return cast("Log", structlog.get_logger(**fields))


def line_writer(event: str, level: Literal["info", "warning"] = "info") -> Callable[[dict[str, Any]], None]:
    """Return what writes lines of one kind, as they are configured now, at half the price of a log.

    For the one line per request, attempt and outcome: its fields need no binding, and nobody changes the configuration
    meanwhile.
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
    """Line writers by event, each made when it is first used."""

    def __missing__(self, event: str) -> Callable[[dict[str, Any]], None]:
        """Make one."""
        writer = self[event] = line_writer(event)
        return writer


def traceback_text(error: BaseException) -> str:
    """Write an exception with its causes for a log: no local variables, no quoted input."""
    return _QUOTED_INPUT.sub("]", "".join(traceback.format_exception(error)).rstrip())


def _put_first(process: str) -> Processor:
    def put_first(_logger: Any, method: str, fields: Fields) -> Fields:
        now = datetime.now(tz=UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        level = "error" if method == "exception" else method
        return {"time": now, "level": level, "event": fields.pop("event", ""), "process": process, **fields}

    return put_first


def _tell_exception(_logger: Any, _method: str, fields: Fields) -> Fields:
    found = fields.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else sys.exception() if found is True else found
    if isinstance(error, BaseException):
        fields["error"] = type(error).__name__
        fields["traceback"] = traceback_text(error)
    return fields


def _from_library(_logger: Any, _method: str, fields: Fields) -> Fields:
    record: logging.LogRecord = fields["_record"]
    said: Fields = {"event": "library", "logger": record.name, "message": fields["event"]}
    if "exc_info" in fields:
        said["exc_info"] = fields["exc_info"]
    return said


def _to_json(logger: Any, method: str, fields: Fields) -> str:
    try:
        return to_json(fields, fallback=str, ensure_ascii=True).decode()
    except ValueError:
        # Half a surrogate pair, in what a library says: the slower writer escapes it.
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
