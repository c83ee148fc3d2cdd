"""What applier and watcher log and count of an end is said by the commit of that end, never by the handler.

Each row makes one end. Before each commit nothing was said since the commit before: a result that is lost says nothing.
"""

from collections import Counter

import pytest
import structlog
from structlog.testing import LogCapture

from consumers.authorization.recent_callers import MOST_ACCEPTED
from consumers.authorization.state import MOST_DEAD_LETTERS
from consumers.engine import RetryAt
from schemas.commands import AuthorizationWatch, Discard, HandoffRequest
from schemas.enums import DecisionReason
from tests.process.applier.records.test_recent_commands import empty, watch_often
from tests.process.applier.records.test_version_floor import lower
from tests.process.key_queue import KeyQueue, opened, redrive

CREATE = "/manual-handoffs$"
REFUSED = {"status": 400, "code": "bad_request"}
# Attempts and reads have happened, whether or not the result of their invocation is committed.
OF_ATTEMPTS = {"intents_resent", "observations"}
FINISHED = Counter({"command.finished": 1, "finished": 1, "finish_seconds": 1})
DEAD_LETTERED = Counter({"command.dead_lettered": 1, "dead_letters": 1})


def counts(metrics):
    """The number of counts and observations of each metric of an end."""
    found = Counter()
    for group in (metrics.commands, metrics.people):
        for name in vars(group).keys() - OF_ATTEMPTS:
            for family in getattr(group, name).collect():
                samples = (one for one in family.samples if one.name.endswith(("_total", "_count")))
                found[name] += int(sum(sample.value for sample in samples))
    return +found


@pytest.fixture
def said(monkeypatch):
    """Everything said so far: log lines by event, and metrics by name."""
    lines, known = LogCapture(), Counter()
    processors = structlog.get_config()["processors"]
    structlog.configure(processors=[lines, lines])

    def said(queue):
        return Counter(line["event"] for line in lines.entries if line["event"].startswith("command.")) + counts(
            queue.metrics
        )

    commit = KeyQueue.commit

    def checked(queue, *result):
        assert said(queue) == known, "said before the commit"
        commit(queue, *result)
        known.update(said(queue) - known)

    monkeypatch.setattr(KeyQueue, "commit", checked)
    yield said
    structlog.configure(processors=processors)


async def one(queue, command):
    queue.send(command)
    await queue.drain()


async def applied(queue):
    await one(queue, AuthorizationWatch())
    return FINISHED


async def handoff_opened(queue):
    await opened(queue)
    return FINISHED + Counter({"stage_seconds": 1})


async def already_done(queue):
    await opened(queue)
    await one(queue, HandoffRequest())
    return FINISHED + FINISHED + Counter({"stage_seconds": 1})


async def rejected(queue):
    queue.sim.act(queue.authorization_id, "cancel")
    await one(queue, HandoffRequest())
    return FINISHED


async def expired(queue):
    queue.send(HandoffRequest())
    queue.sim.advance(2 * 3600.0)
    await queue.drain()
    return FINISHED


async def waiting(queue):
    queue.sim.fault("answer", method="GET", status=503, code="unavailable", count=16)
    await one(queue, AuthorizationWatch())
    return FINISHED + Counter({"command.waiting": 1, "waiting_events": 1})


async def dead_lettered(queue):
    queue.sim.fault("answer", method="POST", path=CREATE, **REFUSED, count=1)
    await one(queue, HandoffRequest())
    return DEAD_LETTERED


async def too_many_failures(queue):
    queue.failures = 100
    await one(queue, HandoffRequest())
    return DEAD_LETTERED


async def failing(queue):
    queue.failures, queue.since = 2, queue.now() - 3600.0
    await one(queue, AuthorizationWatch())
    return FINISHED + Counter({"command.waiting": 1, "waiting_events": 1})


async def record_rejected(queue):
    queue.append((), b"hello")
    await queue.drain()
    return Counter({"command.record_rejected": 1, "dead_letters": 1})


async def record_lost(queue):
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    queue.finished += 1
    await one(queue, AuthorizationWatch())
    return FINISHED + Counter({"command.record_lost": 1, "dead_letters": 1, "stage_seconds": 1})


async def key_conflict(queue):
    command = queue.send(AuthorizationWatch())
    queue.send(AuthorizationWatch(metadata={"another": "body"}), command_id=command)
    await queue.drain()
    return FINISHED + Counter({"command.key_conflict_found": 1, "key_conflicts": 1})


async def share_exceeded(queue):
    await watch_often(queue, AuthorizationWatch, MOST_ACCEPTED + 1)
    accepted = Counter(dict.fromkeys(FINISHED, MOST_ACCEPTED))
    refused = Counter({"command.finished": 1, "finished": 1})
    return accepted + refused + Counter({"command.caller_share_exceeded": 1, "caller_share_exceeded": 1})


async def redriven(queue):
    await dead_lettered(queue)
    (dead_letter,) = queue.dead_letters()
    for number in (1, 2):
        redrive(queue, dead_letter, number)
        await queue.drain()
    refused = Counter({"command.finished": 1, "finished": 1})
    return DEAD_LETTERED + FINISHED + refused + Counter({"stage_seconds": 1})


async def discarded(queue):
    await dead_lettered(queue)
    (dead_letter,) = queue.dead_letters()
    for number in range(2):
        discard = Discard(command_id=dead_letter.command_id, requested_by="op", reason=DecisionReason.NO_LONGER_WANTED)
        queue.send(discard, command_id=f"00000000-0000-4000-8000-00000000000{number}", caller="on-call")
    await queue.drain()
    ignored = Counter({"command.discard_ignored": 1, "discards_ignored": 1})
    return DEAD_LETTERED + ignored + Counter({"command.discarded": 1, "finished": 1})


async def displaced(queue):
    queue.sim.fault("answer", method="POST", path=CREATE, **REFUSED)
    for _ in range(MOST_DEAD_LETTERS + 1):
        queue.send(HandoffRequest())
    await queue.drain_all()
    dead = Counter(dict.fromkeys(DEAD_LETTERED, MOST_DEAD_LETTERS + 1))
    return dead + Counter({"command.dead_letter_displaced": 1, "finished": 1})


async def recent_commands_emptied(queue):
    await one(queue, empty())
    return Counter({"command.recent_commands_emptied": 1})


async def version_floor_lowered(queue):
    await one(queue, lower(1))
    return Counter({"command.version_floor_lowered": 1})


async def double_effect(queue):
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    await one(queue, HandoffRequest())
    return FINISHED + Counter({"command.double_effect_suspected": 1, "double_effects": 1, "stage_seconds": 1})


async def reconciled(queue):
    await opened(queue)
    queue.sim.act(queue.authorization_id, "revoke", reason="another actor")
    queue.sim.act(queue.authorization_id, "reconcile", truth="nothing")
    for _ in range(20):
        await queue.observe()
    return FINISHED + Counter({"stage_seconds": 3, "agreements": 1})


DOUBLE = ("ignores_preconditions", "forgets_keys")
ROWS = [
    applied,
    handoff_opened,
    already_done,
    rejected,
    expired,
    waiting,
    failing,
    dead_lettered,
    too_many_failures,
    record_rejected,
    record_lost,
    key_conflict,
    share_exceeded,
    redriven,
    discarded,
    displaced,
    recent_commands_emptied,
    version_floor_lowered,
    double_effect,
    reconciled,
]


@pytest.mark.parametrize("end", ROWS)
async def test_an_end_is_said_by_its_commit(make_queue, said, end):
    is_double = end is double_effect
    queue = make_queue(*DOUBLE * is_double, readings={"create_while_active": "replace"} if is_double else None)
    expected = await end(queue)
    assert said(queue) == expected
