"""The lines that a process logs, for the tests of this folder."""

import io
import json
import logging

import pytest
import structlog

from runtime.logs import configure_logs
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
