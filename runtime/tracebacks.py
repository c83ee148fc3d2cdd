"""The text of a traceback, for logs and for the command line."""

import re
import traceback

_QUOTED_INPUT = re.compile(r", input_value=.*, input_type=\w+\]")


def traceback_text(error: BaseException) -> str:
    """Format an exception and its causes without local variables and quoted input."""
    return _QUOTED_INPUT.sub("]", "".join(traceback.format_exception(error)).rstrip())
