"""The distribution of the tests over processes in `make test`: `pytest -p tests.spread --numprocesses 6`.

The tests of a file run in one process, and so do files that share an expensive server. Those begin first. Then files
whose tests mostly wait for servers and files whose tests mostly compute take turns, so that the processor is busy. The
short unit tests fill the end, when some processes have no other file left.
"""

from pathlib import PurePath
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

# Paths below tests/ whose tests share three brokers, a broker that they stop, a secured broker, an image or a browser.
_SHARED: Final = {
    "three brokers": (
        "system/deliverer/test_kills.py",
        "system/engine/test_cut_off_broker.py",
        "system/engine/test_three_brokers.py",
        "system/ingress/test_partition_without_leader.py",
        "system/local/test_kafka.py",
    ),
    "one broker": (
        "system/engine/test_unknown_commits.py",
        "system/gateway/test_disk_full.py",
        "system/gateway/test_kafka_away.py",
        "system/ingress/test_outages.py",
        "system/runtime/test_liveness.py",
        "system/runtime/test_stop_without_kafka.py",
    ),
    "secured": (
        "system/documents/test_guides.py",
        "system/runtime/test_kafka.py",
        "system/runtime/test_topics.py",
        "system/security",
    ),
    "image": ("system/image",),
    "browser": ("browser",),
}
_WAITING: Final = ("browser", "system")
_COMPUTING: Final = ("process", "chart", "contract")


class _Spread(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Spread:
    return _Spread(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Each process collects all tests; all must have the same order.
    turns = _turns({(_scope(item.nodeid), PurePath(item.nodeid).parts[1]) for item in items})
    items.sort(key=lambda item: turns[_scope(item.nodeid)])


def _turns(scopes: set[tuple[str, str]]) -> dict[str, tuple[float, str]]:
    """Return the sort key of each scope, of which the kind is given: shared, then by turns, then the unit tests."""
    turns = {scope: (-1.0 if scope in _SHARED else 2.0, scope) for scope, _ in scopes}
    for kinds in (_WAITING, _COMPUTING):
        ordered = sorted((kinds.index(kind), scope) for scope, kind in scopes if kind in kinds and scope not in _SHARED)
        turns |= {scope: (place / len(ordered), scope) for place, (_, scope) in enumerate(ordered)}
    return turns


def _scope(nodeid: str) -> str:
    path = PurePath(nodeid.partition("::")[0])
    below = path.relative_to("tests")
    for name, places in _SHARED.items():
        if any(below.is_relative_to(place) for place in places):
            return name
    return str(path)
