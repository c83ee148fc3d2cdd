import asyncio
import io
import json
import logging
import warnings

from pydantic import BaseModel

from runtime.logs import LineStream, configure_logs, get_log, line_writer
from runtime.settings import LogSettings


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


class CountedStream(io.StringIO):
    """A stream that counts how often it is flushed."""

    flushes = 0

    def flush(self):
        self.flushes += 1


def test_frequent_lines_of_one_pass_of_the_loop_are_written_together_and_in_order():
    out = CountedStream()
    stream = LineStream(out)

    async def write_lines():
        stream.write_soon("1")
        stream.write_soon("2")
        assert out.getvalue() == ""
        await asyncio.sleep(0)
        assert (out.getvalue(), out.flushes) == ("1\n2\n", 1)
        stream.write_soon("3")
        stream.write("an error\n")
        assert out.getvalue().endswith("2\n3\nan error\n")
        await asyncio.sleep(0)

    asyncio.run(write_lines())
    assert (out.getvalue(), out.flushes) == ("1\n2\n3\nan error\n", 1)


def test_a_line_that_waits_when_the_loop_ends_is_before_the_next_line():
    stream = LineStream(out := CountedStream())

    async def write_line():
        stream.write_soon("1")

    asyncio.run(write_line())
    stream.write("stopped\n")
    assert out.getvalue() == "1\nstopped\n"
