"""Python's garbage collector, kept from walking again and again what stays for the life of a process."""

import gc
from typing import Final

# Objects made between two looks: a turn, a request or a batch makes hundreds, and next to none in a ring.
_UNCOLLECTED: Final = 10_000


def tune_gc(uncollected: int = _UNCOLLECTED) -> None:
    """Call once what lasts has been built: only what is made from now on is looked at, and less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(uncollected)
