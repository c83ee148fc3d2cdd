"""Random true logs of one partition, and the faults that `gateway check promises` must name."""

import json
import random
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.progress import PROGRESS_KEY, encode
from local.phi_keys import new_keys
from schemas.cloudevents.sequence import sequence_text
from schemas.commands import COMMANDS, Redrive
from schemas.enums import CommandType, full_type
from schemas.identity import event_id
from schemas.promises.violations import PromiseRule as Rule
from schemas.records import RecordedCommand, write_command
from schemas.times import format_time
from schemas.topics import partition_for
from tests.unit.schemas.test_promises import ACTS, Story

PARTITIONS, NUMBER = 3, 1
SOURCE, TOPIC_ID = "/test", "topic-1"
KEYS = new_keys()
STEPS = sorted(set(ACTS) - {"restored", "emptied"})  # they end rules on purpose


@dataclass(frozen=True)
class Entry:
    """A record; `offset` and `partition` are given when the log is read."""

    key: bytes
    value: bytes | None
    headers: tuple = ()
    at: float = 0.0
    offset: int = 0
    partition: int = NUMBER

    @property
    def timestamp(self):
        return int(self.at * 1_000)


def names(chance):
    """Yield ids of authorizations whose partition is NUMBER."""
    while True:
        name = f"auth_{chance.getrandbits(40):x}"
        if partition_for(name.encode(), PARTITIONS) == NUMBER:
            yield name


def raw_event(event):
    time = datetime.fromtimestamp(event.time, UTC)
    headers = {
        "ce_id": event.id,
        "ce_type": full_type(event.kind),
        "ce_time": format_time(time),
        "ce_sequence": sequence_text(event.sequence),
        "ce_causationid": event.cause,
    }
    value = json.dumps({name: one for name, one in event.data.items() if one is not None})
    sent = tuple((name, text.encode()) for name, text in headers.items() if text is not None)
    return Entry(event.authorization_id.encode(), value.encode(), sent, event.at)


def raw_command(command, at):
    time = datetime.fromtimestamp(at, UTC)
    if not command.type:
        headers = (("ce_id", command.id.encode()), ("ce_specversion", b"1.0"), ("ce_type", b"of.tomorrow"),
                   ("ce_source", b"/x"), ("ce_subject", command.authorization_id.encode()))  # fmt: skip
        return Entry(command.authorization_id.encode(), b"{}", headers, at)
    model = COMMANDS[CommandType(full_type(command.type))]
    example, number = dict(model.EXAMPLE), 0
    if model is Redrive:
        example["commandId"], number = command.redrives
        example["redrive"] = number
    data = model.model_validate_json(json.dumps(example), by_alias=True, by_name=False)
    sent = RecordedCommand(command.id, "intake", command.authorization_id, time, data, number)
    headers, value = write_command(sent, SOURCE, KEYS)
    return Entry(command.authorization_id.encode(), value, tuple(headers), at)


class Log:
    """One to three authorizations over minutes to days: their events and commands, as they are written."""

    def __init__(self, seed):
        self.chance = chance = random.Random(seed)
        self.stories, self.commands = [], []
        self.raw = defaultdict(list)  # what a fault adds, by topic's role
        for place, name in zip(range(chance.randint(1, 3)), names(chance), strict=False):
            story = Story(name, 1 + 10_000 * place)
            wait = chance.choice([0.0, 0.0, chance.uniform(0, 23 * 3_600)])
            for step in ("watch", *chance.choices(STEPS, k=chance.randint(3, 25))):
                story.now += chance.uniform(0, 60)
                before = len(story.commands)
                getattr(story, step)()
                self.commands += [(one, story.now - wait) for one in story.commands[before:]]
            self.stories.append(story)
        self.end = max(story.now for story in self.stories)
        self.since = self.end - chance.choice([60.0, 600.0, 7_200.0, chance.uniform(0, 3 * 86_400)])
        self.records = {}  # the number of a record that a fault changes, by authorization

    def entries(self):
        """Return the records of each role, in the order of their time, with offsets."""
        events = [raw_event(event) for story in self.stories for event in story.events]
        commands = [raw_command(*one) for one in self.commands]
        found = {"events": events, "commands": commands, "authorizations": self._authorizations(), "dead_letters": []}
        for role, more in self.raw.items():
            found[role] = found[role] + more
        ordered = {role: sorted(entries, key=lambda one: one.at) for role, entries in found.items()}
        ordered["state"] = [
            Entry(PROGRESS_KEY, encode(Committed(len(ordered["commands"]), ""), TOPIC_ID), (), self.end)
        ]
        return {role: [replace(one, offset=at) for at, one in enumerate(all_)] for role, all_ in ordered.items()}

    def _authorizations(self):
        written = []
        for story in self.stories:
            last = None
            for event in story.events:
                if last is not None and event.sequence == 1:
                    written += [self._record(story, last.sequence, last.at), self._record(story, None, last.at)]
                last = event
            written.append(self._record(story, self.records.get(story.authorization, last.sequence), last.at))
        return written

    @staticmethod
    def _record(story, sequence, at):
        if sequence is None:
            return Entry(story.authorization.encode(), None, (), at)
        return Entry(story.authorization.encode(), b"{}", (("ce_sequence", sequence_text(sequence).encode()),), at)

    # What a fault changes

    def some(self, *kinds):
        """Choose an event of these kinds in the span, after the first of its story; return its story and place."""
        found = [
            (story, place)
            for story in self.stories
            for place, event in enumerate(story.events)
            if event.kind in kinds and event.at >= self.since and place
        ]
        return self.chance.choice(found) if found else (None, None)

    def append(self, story, event, seconds, **changes):
        """Add a copy of an event at the end of its story, with the next number."""
        story.sequence += 1
        at = story.now = story.now + seconds
        own = {"sequence": story.sequence, "id": event_id(story.authorization, story.life, story.sequence)}
        story.events.append(replace(event, **own | {"time": at, "at": at, "offset": -1} | changes))


@asynccontextmanager
async def open_log(entries, places):
    yield Reader(entries, places)


class Reader:
    """The part of `TopicReader` that the check uses, over `entries` by role. Other partitions are empty."""

    def __init__(self, entries, places):
        self._logs = {
            key: entries[topic.removeprefix("t.").replace("-", "_")] if number == NUMBER else []
            for key, (topic, number) in places.items()
        }
        self._at = {}

    async def topic_ids(self):
        return dict.fromkeys(self._logs, TOPIC_ID)

    async def beginnings(self):
        return {key: log[0].offset if log else 0 for key, log in self._logs.items()}

    async def ends(self):
        return {key: log[-1].offset + 1 if log else 0 for key, log in self._logs.items()}

    async def offsets_at(self, time):
        return {
            key: next((one.offset for one in log if one.at >= time.timestamp()), None)
            for key, log in self._logs.items()
        }

    def seek(self, positions):
        self._at = dict(positions)

    async def read_until(self, ends):
        for key, end in ends.items():
            for one in self._logs[key]:
                if self._at[key] <= one.offset < end:
                    yield key, one


# Faults: each returns the rules of which one at least must be named; None if this log has no place for it.

ENDS = ("command.finished",)


def _is_plain_end(event):
    return not (event.data.get("redrive") or event.data.get("reason") or event.data.get("outcome") == "discarded")


def _ends_in_span(log, story):
    """Whether the last event of this life is in the span: another authorization's record is not compared."""
    return story.events[-1].sequence == story.sequence and story.events[-1].at >= log.since


def _plain_end(log):
    story, place = log.some(*ENDS)
    return (story, place) if story is not None and _is_plain_end(story.events[place]) else (None, None)


def lost(log):
    story, place = _plain_end(log)
    if story is None or story.events[place].sequence == 1:
        return None
    gone = story.events[place].data["commandId"]
    if sum(one.data.get("commandId") == gone for one in story.events) > 1:
        return None  # it ended again a day later
    later, life = story.events[place + 1 :], True
    del story.events[place:]
    for event in later:
        life = life and event.sequence > 1
        story.events.append(replace(event, sequence=event.sequence - 1) if life else event)
    story.sequence = story.events[-1].sequence
    return {Rule.LOST_END}


def doubled(log):
    story, place = _plain_end(log)
    if story is None or story.now - story.events[place].time > 10 * 3_600:
        return None
    log.append(story, story.events[place], log.chance.choice([1.0, 10.0, 3_600.0, 12 * 3_600.0]))
    log.end = max(log.end, story.now)
    return {Rule.TWO_ENDS}


def early(log):
    story, place = log.some("command.finished", "authorization.changed", "handoff.opened")
    if story is None or story.events[place].sequence == 1:
        return None
    by = log.chance.choice([1.5, 60.0, 3_600.0, 86_400.0, 3 * 86_400.0])
    before = story.events[place - 1].time
    story.events[place] = replace(story.events[place], time=before - by)
    return {Rule.TIME}


def late(log):
    story, place = log.some("command.finished", "authorization.changed", "handoff.opened")
    if story is None or place >= len(story.events) - 1 or story.events[place + 1].sequence == 1:
        return None
    by = log.chance.choice([1.5, 60.0, 3_600.0, 86_400.0, 3 * 86_400.0])
    story.events[place] = replace(story.events[place], time=story.events[place + 1].time + by)
    return {Rule.TIME}


def reordered(log):
    story, place = log.some("command.finished", "authorization.changed", "handoff.opened")
    if story is None or place == len(story.events) - 1 or story.events[place + 1].sequence == 1:
        return None
    one, other = story.events[place], story.events[place + 1]
    story.events[place : place + 2] = [replace(other, at=one.at), replace(one, at=other.at)]
    return {Rule.SEQUENCE}


def gap(log):
    story, place = log.some("command.finished", "authorization.changed", "handoff.opened", "command.key_conflict")
    if story is None or place >= len(story.events) - 1 or story.events[place + 1].sequence == 1:
        return None
    if story.events[place - 1].sequence > story.events[place].sequence:
        return None  # the first of a life
    del story.events[place]
    return {Rule.SEQUENCE}


def malformed(log):
    story, place = log.some(*ENDS)
    if story is None:
        return None
    wrong = {
        "redrive": ["x", -1, True, 10**30],
        "decision": ["yes", []],
        "commandId": ["https://a/b", 7],
        "handoffId": [["x"], "Jane Doe"],
        "caller": [5],
        "reason": [{}],
        "outcome": [1],
        "assertedBy": [[]],
    }
    name = log.chance.choice(list(wrong))
    value = log.chance.choice(wrong[name])
    event = story.events[place]
    story.events[place] = replace(event, data={**event.data, name: value})
    return {Rule.MALFORMED}


def broken(log):
    story = log.chance.choice(log.stories)
    value = log.chance.choice([b"[" * 100_000, b"null", b"", b"7", b"{", b'"\\ud800"'])
    entry = raw_event(replace(story.events[-1], at=log.end))
    log.raw["events"].append(replace(entry, value=value))
    return {Rule.MALFORMED}


def no_key(log):
    story = log.chance.choice(log.stories)
    event = next(one for one in story.events if one.kind == "authorization.changed")
    entry = raw_event(replace(event, at=log.end))
    key = next(key for key in (f"Jane Doe {n}".encode() for n in range(99)) if partition_for(key, PARTITIONS) == NUMBER)
    log.raw["events"].append(replace(entry, key=key))
    return {Rule.MALFORMED}


def leaked(log):
    story, place = log.some(*ENDS)
    if story is None:
        return None
    text = log.chance.choice(["https://live.example/session/1", "whsec_abc", "-----BEGIN KEY", "Bearer abc"])
    event = story.events[place]
    story.events[place] = replace(event, data={**event.data, "advice": text})
    return {Rule.SECRET}


def nameless(log):
    story, place = log.some(*ENDS)
    if story is None:
        return None
    event = story.events[place]
    story.events[place] = replace(event, data={**event.data, "caller": None})
    return {Rule.NAMELESS}


def other_id(log):
    story, place = log.some("command.finished", "authorization.changed", "handoff.opened")
    if story is None or story.events[place - 1].at < log.since:
        return None
    story.events[place] = replace(story.events[place], id=story.events[place - 1].id)
    return {Rule.EVENT_ID}


def misplaced(log):
    story = log.chance.choice(log.stories)
    name = next(n for n in (f"auth_far{i}" for i in range(99)) if partition_for(n.encode(), PARTITIONS) != NUMBER)
    log.raw["events"].append(replace(raw_event(replace(story.events[0], at=log.end)), key=name.encode()))
    return {Rule.MISPLACED}


def behind(log):
    story = log.chance.choice(log.stories)
    if story.sequence < 2 or not _ends_in_span(log, story):
        return None
    log.records = {story.authorization: story.sequence - 1}
    return {Rule.RECORD_BEHIND}


def ahead(log):
    story = log.chance.choice(log.stories)
    if not _ends_in_span(log, story):
        return None
    log.records = {story.authorization: story.sequence + 1}
    return {Rule.RECORD_AHEAD}


def rogue(log):
    """An event in perfect form that the worker did not write: the record does not count it."""
    story, place = log.some("authorization.changed", *ENDS)
    if story is None or not _ends_in_span(log, story):
        return None
    log.records = {story.authorization: story.sequence}
    log.append(story, story.events[place], 1.0)
    return {Rule.RECORD_BEHIND}


def opened_again(log):
    story, place = log.some("handoff.opened")
    if story is None or any(one.sequence == 1 for one in story.events[place:]):
        return None
    log.append(story, story.events[place], 1.0)
    return {Rule.OPENED_AGAIN}


def clear_text(log):
    sealed = [
        (at, one, time)
        for at, (one, time) in enumerate(log.commands)
        if time >= log.since and one.type in {"command.redrive", "handoff.close"}
    ]
    if not sealed:
        return None
    _, one, time = log.chance.choice(sealed)
    entry = raw_command(one, time)
    value = entry.value.partition(b',"sealed"')[0] + b"}"
    log.raw["commands"].append(replace(entry, value=value, at=time))
    return {Rule.CLEAR_TEXT}


FAULTS = (lost, doubled, early, late, reordered, gap, malformed, broken, no_key, leaked, nameless, other_id, misplaced,
          behind, ahead, rogue, opened_again, clear_text)  # fmt: skip


# What is true, and looks odd


def cut(log, entries):
    """Retention has deleted the beginning of both topics: the same time in each."""
    at = log.chance.uniform(log.since - 3 * 86_400, log.end)
    return entries | {role: [one for one in entries[role] if one.at >= at] for role in ("events", "commands")}


def links_in_names(log):
    for story in log.stories:
        story.events = [
            replace(one, data={**one.data, "requestedBy": "https://intranet/jo", "ticket": "https://jira/OPS-1"})
            for one in story.events
        ]
