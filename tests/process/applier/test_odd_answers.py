"""Whatever Collate answers: no handler raises, every command ends, and each record fits the read model.

ODD_STORIES sets the number of stories; a story has some 25 odd answers.
"""

import os
import random
from collections import Counter
from dataclasses import astuple
from datetime import datetime
from types import SimpleNamespace

import pytest

from adapters.collate import response_parser
from adapters.collate.answers import Answered
from adapters.postgres.rows import NOT_DUE, Rows
from consumers.engine import RetryAt
from consumers.projector.fold import fold
from consumers.projector.parsing import Ignored, parse
from schemas.commands import AuthorizationWatch, HandoffRequest, RecordAccess, ReleaseHandoff
from schemas.enums import EventType
from tests.process.applier.odd_answers import KINDS, OddAnswers
from tests.process.key_queue import TOPICS

STORIES = int(os.environ.get("ODD_STORIES", "12"))
ROLES = {TOPICS.events.name: "events", TOPICS.authorizations.name: "authorizations"}
WATCH_SECONDS = 300


@pytest.fixture
def odd(monkeypatch):
    """Let the client read odd answers."""
    answers, whole = OddAnswers(seed=0), response_parser._body
    monkeypatch.setattr(response_parser, "_body", lambda response: answers.body(whole(response)))
    return answers


def require_writable(value):
    """PostgreSQL takes bigints, and text without NUL and without lone surrogates."""
    if isinstance(value, dict | list | tuple):
        for one in value:
            require_writable(one)
    elif isinstance(value, int):
        assert -(2**63) <= value < 2**63
    elif isinstance(value, str):
        assert "\0" not in value.encode().decode()
        assert len(value) < 100_000
    elif isinstance(value, datetime):
        assert 1970 <= value.year < 2200 or value == NOT_DUE


def require_read(queue):
    """The projector reads and folds each record of the queue, one by one."""
    rows = Rows()
    for place, output in enumerate(queue.outputs):
        if (role := ROLES.get(output.topic)) is None:
            continue
        item = parse(role, 0, SimpleNamespace(**output._asdict(), offset=place))
        assert not isinstance(item, Ignored) or item.problem is None, item.problem
        fold(rows, [item])
    for table in (rows.commands, rows.handoffs, rows.authorizations):
        for row in table.values():
            require_writable(astuple(row))
    for row in rows.timeline:
        require_writable(tuple(row) if isinstance(row, tuple) else astuple(row))


async def pass_time(queue, chance, times):
    """Invoke what is due, in random order."""
    for _ in range(times):
        if not queue.is_idle and (queue.timer_at is None or chance.random() < 0.5):
            if isinstance(result := await queue.invoke(), RetryAt):
                queue.pass_until(result.at)
        elif queue.timer_at is not None:
            await queue.observe()


async def mint(queue, handoff_id):
    """Mint a grant as the ingress does; return the record of the access, None without a grant."""
    key = f"grant-{len(queue.records)}"
    answer = await queue.collate.mint_grant(queue.authorization_id, handoff_id, key=key)
    if not isinstance(answer, Answered):
        return None
    return RecordAccess(handoff_id=handoff_id, operator="jo", grant_expires_at=answer.model.expires_at)


async def tell(queue, chance, close):
    """Append a random command."""
    ids = [event.data.handoff_id for event in queue.events(EventType.HANDOFF_OPENED)]
    handoff = chance.choice(ids or ["mhand_none"])
    access = await mint(queue, handoff) if ids and chance.random() < 0.5 else None
    others = [HandoffRequest(), AuthorizationWatch(), close(handoff), ReleaseHandoff(handoff_id=handoff)]
    queue.send(access or chance.choice(others))


async def story(queue, odd, chance, close):
    for _ in range(6):
        await tell(queue, chance, close)
        await pass_time(queue, chance, 8)
    odd.is_on = False
    await queue.drain_all()
    require_read(queue)


async def test_no_odd_answer_ends_a_process_or_a_partition_or_the_read_model(make_queue, odd, close):
    for number in range(STORIES):
        odd.chance, odd.is_on = random.Random(number), True
        queue = make_queue()
        await story(queue, odd, random.Random(f"story {number}"), close)
        assert queue.failures == 0
    print(f"{odd.made.total()} odd answers in {STORIES} stories: {dict(Counter(odd.made))}")
    assert set(odd.made) == set(KINDS) or STORIES < 50
