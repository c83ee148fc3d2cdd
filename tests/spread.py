"""The groups of tests that `make test` distributes over processes, and the order in which the groups begin.

The tests of a file run in one process, and so do files that share an expensive server. The slowest tests begin first.
"""

from pathlib import PurePath
from typing import Final

# Paths below tests/ whose tests share three brokers, a secured broker, an image or a browser.
_SHARED: Final = {
    "three brokers": (
        "system/engine/test_three_brokers.py",
        "system/engine/test_cut_off_broker.py",
        "system/ingress/test_outages.py",
    ),
    "secured": ("system/security", "system/documents", "system/runtime"),
    "image": ("system/image",),
    "browser": ("browser",),
}
_KINDS: Final = ("browser", "system", "process", "chart", "contract", "unit")
_HEAVY: Final = {"browser", "system"}


def group_of(nodeid: str) -> str:
    """Return the name of a test's group: its file, or the expensive server that several files share."""
    path = PurePath(nodeid.partition("::")[0])
    below = path.relative_to("tests")
    for name, places in _SHARED.items():
        if any(below.is_relative_to(place) for place in places):
            return name
    return str(path)


def is_heavy(nodeid: str) -> bool:
    """Return whether a test starts servers and whole processes."""
    return PurePath(nodeid).parts[1] in _HEAVY


def order(nodeid: str) -> tuple[bool, int, str]:
    """Return the key by which to sort the tests."""
    scope = group_of(nodeid)
    return scope not in _SHARED, _KINDS.index(PurePath(nodeid).parts[1]), scope
