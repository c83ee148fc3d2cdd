"""The Prefer header (RFC 7240), of which `wait` is the one that we know. What can't be read is no preference."""

import re

_WAIT = re.compile(rb'wait\s*=\s*(?:"(\d{1,4})"|(\d{1,4}))\s*(?:;.*)?', re.IGNORECASE)


def wait_seconds(header: bytes | None, most: int) -> int:
    """Return the seconds that the caller is willing to wait, at most `most`; 0 for none.

    RFC 7240 2: unknown preferences are ignored, and of a preference given twice the first one counts.
    """
    if header is None:
        return 0
    for preference in header.split(b","):
        if match := _WAIT.fullmatch(preference.strip()):
            return min(int(match.group(1) or match.group(2)), most)
    return 0
