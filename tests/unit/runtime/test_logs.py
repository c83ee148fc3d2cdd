import io
import json
import logging
import warnings

import pytest
import structlog
from pydantic import BaseModel

from runtime.logs import configure_logs, get_log, line_writer
from runtime.settings import LogSettings


@pytest.fixture
def lines():
    """Configure JSON logs into memory; return a function that reads and empties what was written."""
    out = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_logs(LogSettings(), "ingress", out)

    def read():
        text = out.getvalue()
        out.seek(0)
        out.truncate()
        return [json.loads(line) for line in text.splitlines()]

    yield read
    structlog.reset_defaults()
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


def test_a_line_is_one_json_object_with_a_static_event_and_fields(lines):
    get_log(partition=3).info("started", records=7, note="ü\n\u2028")
    (line,) = lines()
    assert list(line)[:4] == ["time", "level", "event", "process"]
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "started",
        "process": "ingress",
        "partition": 3,
        "records": 7,
        "note": "ü\n\u2028",
    }


def test_a_log_follows_a_later_configuration(lines):
    log = get_log()
    log.debug("too small a thing")
    log.warning("noticed")
    assert [line["event"] for line in lines()] == ["noticed"]


def test_lines_of_libraries_have_the_same_form_and_only_warnings_pass(lines):
    logging.getLogger("aiokafka.client").warning("no %s", "broker")
    logging.getLogger("aiokafka.client").info("chatter")
    logging.getLogger("uvicorn.access").error("GET /secret")
    (line,) = lines()
    assert (line["level"], line["event"], line["logger"], line["message"]) == (
        "warning",
        "process.library_logged",
        "aiokafka.client",
        "no broker",
    )


def test_a_python_warning_is_a_line(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    assert "old ways" in lines()[-1]["message"]


PLANTED = "PHI-in-the-input"


class Note(BaseModel):
    reference: int


def fail_with_phi():
    Note.model_validate({"reference": PLANTED})


def test_a_traceback_has_no_locals_and_no_input(lines):
    log = get_log()
    try:
        fail_with_phi()
    except ValueError:
        log.exception("record failed")
    try:
        try:
            fail_with_phi()
        except ValueError as error:
            raise ExceptionGroup("several", [error]) from error
    except ExceptionGroup as group:
        log.exception("group failed", exc_info=group)
    logging.getLogger("ours").error("through logging", exc_info=group_error())
    written = lines()
    assert [line["error"] for line in written] == ["ValidationError", "ExceptionGroup", "ValidationError"]
    for line in written:
        assert "fail_with_phi" in line["traceback"]
        assert "type=int_parsing]" in line["traceback"]
        assert "PHI-in" not in json.dumps(line)


def group_error():
    try:
        fail_with_phi()
    except ValueError as error:
        return error


def test_the_console_format_has_a_short_line_with_the_traceback_below(capsys):
    out = io.StringIO()
    configure_logs(LogSettings(format="console", level="debug"), "worker", out)
    try:
        get_log().debug("looking", partition=3)
        get_log().error("failed", exc_info=ValueError("why"))
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(capture=False)
    text = out.getvalue()
    assert "looking" in text
    assert "partition=3" in text
    assert text.rstrip().endswith("ValueError: why")
    assert "\x1b[" not in text


def test_a_line_writer_writes_the_same_line_as_the_log(lines):
    get_log().info("request", status=202, caller=None)
    line_writer("request")({"status": 202, "caller": None})
    logged, written = lines()
    assert logged | {"time": None} == written | {"time": None}
    assert list(logged) == list(written)


def test_a_line_writer_obeys_the_level(lines):
    out = io.StringIO()
    configure_logs(LogSettings(level="warning"), "ingress", out)
    line_writer("request")({"status": 202})
    assert out.getvalue() == ""
    line_writer("collate.attempt", "warning")({"status": 503})
    assert json.loads(out.getvalue()) | {"level": "warning", "event": "collate.attempt", "status": 503} == json.loads(
        out.getvalue()
    )
