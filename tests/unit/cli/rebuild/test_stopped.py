"""A rebuild begins only when no worker runs."""

import asyncio

import pytest

from cli.rebuild import stopped
from cli.rebuild.stopped import RebuildRefused, await_no_members
from runtime.settings import WorkerSettings


class Cluster:
    def __init__(self, *members):
        self.members, self.asked = list(members), 0

    async def members_of(self, group):
        assert group == "workers"
        self.asked += 1
        return self.members.pop(0) if len(self.members) > 1 else self.members[0]


@pytest.fixture(autouse=True)
def time_flies(monkeypatch):
    monkeypatch.setattr(stopped, "_LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(stopped, "_SESSION_SLACK_SECONDS", 0.0)


def settings(session):
    return WorkerSettings(group="workers", session_timeout=session)


def test_a_stopped_worker_counts_until_its_session_ends():
    cluster, said = Cluster(2, 1, 0), []
    asyncio.run(await_no_members(cluster, settings("1m"), said.append))
    assert (cluster.asked, said) == (3, ["waiting for the sessions of 2 workers to end"])


def test_a_running_worker_is_refused():
    with pytest.raises(RebuildRefused, match="1 workers of the group workers run: stop every worker"):
        asyncio.run(await_no_members(Cluster(1), settings("0s"), lambda _: None))
