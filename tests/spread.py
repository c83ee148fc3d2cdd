"""The distribution of the tests over processes in a run: `pytest -p tests.spread --numprocesses 5`.

The tests of a file run in one process, and so do files that share an expensive server, which ends with the last of
these tests. The slowest tests begin first.
"""

from functools import cache
from pathlib import Path, PurePath
from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# Paths below tests/ whose tests share brokers, a secured broker, an image, the built clients, a browser, or the
# decisions in the generated files, which take four seconds.
_SHARED: Final = {
    "three brokers": (
        "system/deliverer/test_kills.py",
        "system/engine/test_cut_off_broker.py",
        "system/engine/test_three_brokers.py",
        "system/ingress/test_partition_without_leader.py",
        "system/local/test_kafka.py",
    ),
    "three brokers behind proxies": (
        "system/engine/test_client_rack.py",
        "system/engine/test_late_commit.py",
        "system/ingress/test_late_produce.py",
    ),
    "a broker": (
        "system/engine/test_stored_topic_id.py",
        "system/engine/test_unknown_commits.py",
        "system/gateway/test_kafka_away.py",
        "system/ingress/test_outages.py",
        "browser/test_without_read_model.py",
    ),
    "another broker": (
        "system/gateway/test_disk_full.py",
        "system/gateway/test_said_after_commit.py",
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
    "clients": ("system/clients",),
    # Scripted consoles need a browser and no installation. In one process with the others they would end last of all.
    "states": ("browser/test_states.py",),
    "browser": ("browser",),
    "decisions": (
        "contract/documents/test_generated.py",
        "contract/test_document_compatibility.py",
        "contract/test_published.py",
    ),
}
# Files of one or more minutes. They begin early, so that no process works on one of them alone at the end.
_LONG: Final = (
    "tests/process/runtime/test_failed_connects.py",
    "tests/system/engine/test_planted_bugs.py",
    "tests/system/engine/test_progress.py",
    "tests/system/gateway/test_promises_kept.py",
    "tests/system/installations/test_faults.py",
)
# Tests of whole installations on real Kafka that run at once, while there are others. Each uses more than a core: with
# ten at once, the two cores spent most of their time on what had timed out.
_HEAVY_AT_ONCE: Final = 3
_KINDS: Final = ("browser", "system", "process", "chart", "contract", "unit")


class _Spread(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        given = (item for units in self.assigned_work.values() for item in units.items())
        if sum(_is_heavy(scope) and not all(tests.values()) for scope, tests in given) >= _HEAVY_AT_ONCE:
            light = next((scope for scope in self.workqueue if not _is_heavy(scope)), None)
            if light is not None:
                self.workqueue.move_to_end(light, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Spread:
    return _Spread(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Let each process begin its collection at another place: each file is then compiled once, not by all at once."""
    given = [Path(argument) for argument in config.args]
    if all(map(Path.is_dir, given)) and (worker := getattr(config, "workerinput", None)):
        found = [path for one in given for path in one.glob("*/[!_]*" if one == Path("tests") else "[!_]*")]
        folders = sorted(str(path) for path in found if path.is_dir() or path.match("test_*.py"))
        begin = int(worker["workerid"].removeprefix("gw")) * len(folders) // worker["workercount"]
        config.args = [*folders[begin:], *folders[:begin]]


# The session's fixtures that tests with a shared server have set up, each with its request.
_SET_UP: Final = pytest.StashKey[list[tuple[pytest.FixtureDef[Any], Any]]]()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: Any) -> object:
    try:
        return (yield)
    finally:
        if fixturedef.scope == "session" and _scope(request._pyfuncitem.nodeid) in _SHARED:
            request.config.stash.setdefault(_SET_UP, []).append((fixturedef, request))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> object:
    """Stop shared servers after their last test: an idle broker takes 3 % of a core."""
    result = yield
    if nextitem is not None and _scope(nextitem.nodeid) != _scope(item.nodeid):
        set_up = item.config.stash.setdefault(_SET_UP, [])
        while set_up:
            fixturedef, request = set_up.pop()
            fixturedef.finish(request)
    return result


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Each process collects all tests; all must have the same order.
    items.sort(key=lambda item: _order(item.nodeid.partition("::")[0]))


def _is_heavy(scope: str) -> bool:
    return scope in _SHARED or PurePath(scope).parts[1] in {"browser", "system"}


def _scope(nodeid: str) -> str:
    return _scope_of(nodeid.partition("::")[0])


@cache
def _scope_of(path: str) -> str:
    below = PurePath(path).relative_to("tests")
    for name, places in _SHARED.items():
        if any(below.is_relative_to(place) for place in places):
            return name
    return path


@cache
def _order(path: str) -> tuple[bool, bool, int, str, str]:
    scope = _scope_of(path)
    return scope not in _SHARED, path not in _LONG, _KINDS.index(PurePath(path).parts[1]), scope, path
