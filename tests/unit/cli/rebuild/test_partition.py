"""A rebuilt partition: finished exactly if an event or the group's copy says so; no record of ours is skipped."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from adapters.kafka.topic_copy import Extent
from cli.rebuild import partition
from cli.rebuild.history import Ended, History
from cli.rebuild.logged import logged
from cli.rebuild.partition import PartitionSources, RebuildInput, progress_of, read_sources
from cli.rebuild.stopped import RebuildRefused
from consumers.applier.task import CommandTask
from consumers.engine.core.offset_tracker import Committed, OffsetTracker
from schemas.authorization import AuthorizationRecord
from schemas.commands import AuthorizationWatch
from schemas.records import source, write_authorization
from schemas.topics import catalogue

BEGIN = 3


def known(copy=None):
    extents = {"commands": [Extent(BEGIN, 7)]}
    copies = {} if copy is None else {0: copy}
    return RebuildInput(None, catalogue("t."), extents, copies, "topic id", b"k" * 16, None, 60.0, 1_000.0)


def sources(*is_ended, events_since=0.0):
    found = PartitionSources(events_since=events_since)
    for place, has_end in enumerate(is_ended):
        id_ = f"command {place}"
        task = CommandTask(id_, id_, "intake", "auth_1", AuthorizationWatch(), 500.0, 500.0, b"d" * 32, "")
        found.commands[b"auth_1"].append(logged(task, 0, BEGIN + place))
        if has_end:
            found.histories.setdefault(b"auth_1", History(0.0)).ends.add((id_, 0))
    return found


def finished(progress):
    tracker = OffsetTracker(*progress)
    return [not tracker.take(offset) for offset in range(BEGIN, BEGIN + 4)]


def test_a_command_is_finished_exactly_if_its_end_is_in_events():
    progress, unfinished = progress_of(sources(True, False, True, False), known(), 0)
    assert (progress.offset, finished(progress), unfinished) == (BEGIN + 1, [True, False, True, False], 2)


def test_what_the_groups_copy_calls_finished_is_finished_too():
    progress, unfinished = progress_of(sources(False, False, False, True), known(BEGIN + 2), 0)
    assert (progress.offset, finished(progress), unfinished) == (BEGIN + 2, [True, True, False, True], 1)


def test_a_partition_without_commands_begins_at_its_log():
    assert progress_of(sources(), known(), 0) == (Committed(BEGIN, ""), 0)


def test_an_unfinished_command_from_before_the_first_event_may_have_lost_its_end():
    assert sources(True, False, events_since=501.0).has_lost_ends()
    assert not sources(True, False, events_since=499.0).has_lost_ends()
    assert not sources(True, True, events_since=501.0).has_lost_ends()


def test_a_state_that_the_worker_would_delete_is_not_written():
    """An authorization that Collate never showed, a day after its last command; not if a repeat of it is unread."""
    now, ids = 1_800_000_000.0, [f"2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b1{number}" for number in range(3)]
    found = PartitionSources()
    for key, id_, hours in ((b"over", ids[0], 25), (b"today", ids[1], 23), (b"repeated", ids[2], 25)):
        at = now - hours * 3600
        history = found.histories[key] = History(0.0, sequence=1, last_at=at, ends={(id_, 0)})
        history.recent.append(Ended(at, id_, 0, "intake"))
    # Accepted within the day of its first end, and after an unfinished command in the log.
    at = now - 4e3
    other = CommandTask("other", "other", "intake", "repeated", AuthorizationWatch(), at, at, b"d" * 32, b"s" * 12)
    found.commands[b"repeated"].append(logged(other, 0, BEGIN))
    assert [key for key, _ in found.states(replace(known(), now=now))] == [b"repeated", b"today"]


async def test_a_record_of_ours_that_cannot_be_read_is_not_skipped(monkeypatch):
    """A record of a newer release: without it the rebuilt state would lack the floor, the due date and the handoffs."""
    example = AuthorizationRecord.from_caller(json.dumps(AuthorizationRecord.EXAMPLE))
    headers, _ = write_authorization("auth_1", example, source("local"), life=1)
    newer = tuple((name, b"collate-gateway.authorization.v2" if name == "ce_type" else raw) for name, raw in headers)

    async def read_partitions(kafka, topic, extents):
        if topic.endswith("authorizations"):
            yield 0, SimpleNamespace(partition=0, offset=4, key=b"auth_1", value=b"{}", headers=newer, timestamp=0)

    monkeypatch.setattr(partition, "read_partitions", read_partitions)
    extents = {role: [Extent(0, 5)] for role in ("commands", "events", "authorizations")}
    with pytest.raises(RebuildRefused, match="offset 4 of partition 0 of authorizations cannot be read"):
        await read_sources(replace(known(), extents=extents), 0)
    newer = (*(header for header in headers if header[0] != "ce_source"), ("ce_source", b"/other"))
    assert (await read_sources(replace(known(), extents=extents), 0)).skipped == 1
