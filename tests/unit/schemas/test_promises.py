"""The rules on the topics: a history that the worker may write breaks none, and each change of it breaks its rule."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.phi_keys import new_keys
from schemas.commands import CALLER_COMMANDS, COMMANDS, Completed, HandoffClose
from schemas.enums import CommandType, EventType, ReportedOutcome, short_type
from schemas.identity import event_id
from schemas.promises.authorization import CLOCK_SECONDS, MOST_ENDS, OWN
from schemas.promises.confidential import has_secret
from schemas.promises.ends import KEPT_SECONDS, MAY_LEAVE_NOTHING, OWN_EVENT_OF, REFUSALS
from schemas.promises.partition import NewestTransaction, SeenPartition, torn
from schemas.promises.seen import SeenCommand, SeenEvent, logged_command
from schemas.promises.violations import PROMISES, PromiseRule
from schemas.records import RecordedCommand, write_command
from schemas.times import parse_time

AUTHORIZATION = "auth_1"
DECISION = {"requestedBy": "jo", "assertedBy": "person", "caller": "people:jo", "reason": "checked_by_hand"}
DAY = KEPT_SECONDS


class Story:
    """One authorization: what callers, operators and people may do, and what the worker then writes."""

    def __init__(self, authorization=AUTHORIZATION, first=1):
        self.authorization = authorization
        self.events, self.commands, self.sequence, self.life, self.now = [], [], 0, 1, 1_000_000.0
        self.ids = (f"{number:08x}-0000-4000-8000-000000000000" for number in count(first))
        self.finished, self.dead, self.handoff, self.closed = [], [], None, []

    def emit(self, kind, caused_by=None, /, **data):
        self.sequence += 1
        self.now += 1.0
        id_ = event_id(self.authorization, self.life, self.sequence)
        offset = 2 * len(self.events)
        self.events.append(
            SeenEvent(self.authorization, self.sequence, kind, caused_by, self.now, data, id_, self.now, offset)
        )

    def send(self, type_, id_=None, **fields):
        id_ = id_ or next(self.ids)
        self.commands.append(SeenCommand(id_, self.authorization, type_, offset=len(self.commands), **fields))
        return id_

    def end(self, command, **data):
        self.emit("command.finished", command, commandId=command, caller="intake", effect="none", **data)
        self.finished.append(command)

    def watch(self):
        self.end(self.send("authorization.watch"), outcome="applied")
        self.emit("authorization.changed", to="processing")

    def request(self):
        command = self.send("handoff.request")
        if self.handoff is None:
            self.handoff = f"mhand_{self.life}_{len(self.closed)}"
            by = {"caller": "people:jo", "requestedBy": "jo", "assertedBy": "person", "effect": "ours"}
            self.emit("handoff.opened", command, handoffId=self.handoff, **by)
        self.end(command, outcome="applied")

    def another_opens(self):
        if self.handoff is None:
            self.handoff = f"mhand_{self.life}_{len(self.closed)}"
            self.emit("handoff.opened", handoffId=self.handoff)

    def close(self):
        command = self.send("handoff.close")
        if self.handoff is not None:
            self.emit("handoff.closed", command, handoffId=self.handoff, by="us", caller="intake")
            self.emit("handoff.reconciled", command, handoffId=self.handoff)
            self.closed.append(self.handoff)
            self.handoff = None
        self.end(command, outcome="applied")

    def repeat(self):
        if self.finished:
            self.send("authorization.watch", self.finished[-1])

    def conflict(self):
        if self.finished:
            command = self.send("authorization.watch", self.finished[-1], body=b"other")
            self.emit("command.key_conflict", command, commandId=command, caller="intake")

    def over_the_share(self):
        command = self.send("authorization.watch")
        for _ in range(2):
            self.end(command, outcome="rejected", reason="too_many_commands")
            self.send("authorization.watch", command)

    def dead_letter(self):
        command = self.send("handoff.request")
        self.emit("command.dead_lettered", command, commandId=command, caller="intake", cause="too_old")
        self.dead.append((command, 0))

    def redrive(self):
        if self.dead:
            command, number = self.dead.pop()
            self.send("command.redrive", redrives=(command, number + 1))
            again = {"commandId": command, "caller": "intake", "redrive": number + 1, "decision": DECISION}
            if number == 0:
                self.emit("command.dead_lettered", command, **again, cause="too_old")
                self.dead.append((command, 1))
            else:
                self.emit("command.finished", command, **again, outcome="applied", effect="ours")

    def late_redrive(self):
        command = next(self.ids)
        self.send("command.redrive", redrives=(command, 1))
        end = {"commandId": command, "caller": "intake", "redrive": 1, "decision": DECISION}
        self.emit("command.finished", command, **end, outcome="rejected", reason="not_dead_lettered")

    def discard(self):
        self.send("command.discard")  # of a number that has gone: no event
        if self.dead:
            command, number = self.dead.pop()
            self.send("command.discard")
            end = {"commandId": command, "caller": "intake", "redrive": number, "decision": DECISION}
            self.emit("command.finished", command, **end, outcome="discarded")

    def displaced(self):
        id_ = next(self.ids)
        for _ in range(2):
            self.send("", id_)
            self.emit("command.dead_lettered", id_, commandId=id_, caller="unknown", cause="invalid_record")
            lost = {"outcome": "discarded", "reason": "too_many_dead_letters"}
            self.emit("command.finished", id_, commandId=id_, caller="unknown", **lost)

    def own_records(self):
        grant, read = self.send("handoff.record_access"), self.send("authorization.record_read")
        by = {"caller": "people:jo", "operator": "jo", "assertedBy": "person"}
        self.emit("handoff.access_granted", grant, handoffId="mhand_x", **by)
        self.emit("authorization.content_read", read, content="review_snapshot", **by)
        self.send("handoff.release")

    def unusable_own_record(self):
        record = self.send("authorization.record_read")
        self.emit("command.dead_lettered", record, commandId=record, caller="intake", cause="invalid_record")

    def emptied(self):
        self.emit("authorization.recent_commands_emptied", self.send("authorization.empty_recent_commands"),
                  caller="people:jo", decision=DECISION)  # fmt: skip
        if self.finished:
            self.end(self.send("authorization.watch", self.finished[-1]), outcome="applied")

    def restored(self):
        self.emit("authorization.version_floor_lowered", self.send("authorization.lower_version_floor"),
                  caller="people:jo", decision=DECISION)  # fmt: skip
        if self.closed:
            self.handoff = self.handoff or self.closed.pop()
            self.emit("handoff.opened", handoffId=self.handoff)

    def a_day_later(self):
        self.now += DAY
        if self.finished:
            self.end(self.send("authorization.watch", self.finished[-1]), outcome="applied")

    def new_life(self):
        self.now += DAY
        self.sequence, self.life, self.handoff, self.dead, self.finished = 0, self.life + 1, None, [], []
        self.closed = [f"{self.life}-{one}" for one in range(5)]

    def judged(self, cut=0):
        """Return what a pass finds; the span may begin at any event, and the repeats of before are explained."""
        found = SeenPartition(is_whole=cut == 0)
        for event in self.events[cut:]:
            found.see_event(event)
        found.see_record(AUTHORIZATION, self.sequence or None, 7)
        found.records_read()
        found.compare_records()
        for command in self.commands:
            found.see_command(command)
        for event in self.events[:cut]:
            found.see_earlier(event)
        found.lost_ends()
        return found.findings


STEPS = [name for name, value in vars(Story).items() if callable(value) and not name.startswith("_")]
ACTS = sorted(set(STEPS) - {"emit", "send", "end", "judged"})


def told(*steps):
    story = Story()
    for step in steps:
        getattr(story, step)()
    return story


@given(st.lists(st.sampled_from(ACTS), max_size=25), st.integers(0, 20))
def test_what_the_worker_may_write_breaks_no_rule(steps, cut):
    story = told("watch", *steps)
    assert story.judged(min(cut, len(story.events) - 1)).violations == []


WHOLE = ("watch", "request", "own_records", "close", "dead_letter", "redrive", "discard", "watch")


def again(story, kind, **changes):
    """Append a copy of the first event of this kind, with the next number and its own id."""
    event = next(one for one in story.events if one.kind == kind)
    story.sequence += 1
    story.now += 1
    own = {"sequence": story.sequence, "time": story.now, "id": event_id(AUTHORIZATION, 1, story.sequence)}
    story.events.append(replace(event, **own | changes))


def without(kind):
    def change(story):
        story.events = [event for event in story.events if event.kind != kind]
        story.events = [replace(event, sequence=number) for number, event in enumerate(story.events, 1)]
        story.sequence = len(story.events)

    return change


def with_data(kind, **data):
    def change(story):
        story.events = [replace(one, data={**one.data, **data}) if one.kind == kind else one for one in story.events]

    return change


def swap_commands(story):
    story.commands[0], story.commands[1] = story.commands[1], story.commands[0]


PLANTED = {
    PromiseRule.TWO_ENDS: lambda story: again(story, "command.finished"),
    PromiseRule.DECISION: lambda story: again(
        story, "command.finished", data={"commandId": "x", "caller": "intake", "redrive": 2, "decision": DECISION}
    ),
    PromiseRule.SEQUENCE: lambda story: again(story, "authorization.changed", sequence=story.sequence + 5),
    PromiseRule.EVENT_ID: lambda story: again(story, "authorization.changed", id=story.events[2].id),
    PromiseRule.TIME: lambda story: again(story, "authorization.changed", time=1.0),
    PromiseRule.ORDER: swap_commands,
    PromiseRule.OPENED_AGAIN: lambda story: again(story, "handoff.opened"),
    PromiseRule.CLOSED_UNOPENED: without("handoff.opened"),
    PromiseRule.CLOSED_TWICE: lambda story: again(story, "handoff.closed"),
    PromiseRule.RECONCILED_EARLY: lambda story: again(
        story, "handoff.reconciled", data={"handoffId": "mhand_9", "caller": "intake"}
    ),
    PromiseRule.LOST_END: lambda story: story.send("authorization.watch"),
    PromiseRule.UNRECORDED_READ: without("authorization.content_read"),
    PromiseRule.NAMELESS: with_data("command.finished", caller=None),
    PromiseRule.NO_PERSON: with_data("handoff.opened", requestedBy=None),
    PromiseRule.CLEAR_TEXT: lambda story: story.commands.append(replace(story.commands[0], has_clear_text=True)),
}


@pytest.mark.parametrize("rule", PLANTED)
def test_each_planted_violation_is_named(rule):
    story = told(*WHOLE)
    assert story.judged().violations == []
    PLANTED[rule](story)
    found = story.judged()
    if rule is PromiseRule.SEQUENCE:
        story.sequence = story.events[-1].sequence
        found = story.judged()
    assert set(found.found) == {rule}
    assert found.violations[0].authorization == AUTHORIZATION


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [(3, None, PromiseRule.RECORD_BEHIND), (5, None, PromiseRule.RECORD_AHEAD), (None, None, PromiseRule.RECORD_BEHIND),
     (3, 3, PromiseRule.RECORD_BEHIND), (4, None, None), (3, 4, None), (4, 9, None)],
)  # fmt: skip
def test_a_record_is_compared_with_the_events_before_and_after_it(before, after, rule):
    story, found = told("watch", "watch"), SeenPartition()
    if before is not None:
        found.see_record(AUTHORIZATION, before, 1)
    found.records_read()
    for event in story.events:
        found.see_event(event)
    if after is not None:
        found.see_record(AUTHORIZATION, after, 2)
    found.compare_records()
    assert set(found.findings.found) == ({rule} if rule else set())


def test_a_new_life_needs_a_day_and_its_record_a_tombstone():
    story = told("watch", "new_life", "watch")
    story.events = [replace(one, time=one.time - CLOCK_SECONDS - 10) if one.offset > 2 else one for one in story.events]
    assert PromiseRule.SEQUENCE in story.judged().found
    for tombstone, rules in ((True, set()), (False, {PromiseRule.RECORD_BEHIND})):
        found = SeenPartition()
        for sequence in (9, None, 1) if tombstone else (9, 1):
            found.see_record(AUTHORIZATION, sequence, 0)
        assert set(found.findings.found) == rules


PARTS = {"state": (5, 2, 2), "events": (40, 1, 1), "authorizations": (30, 1, 0)}


@pytest.mark.parametrize(
    ("newest", "last", "halves"),
    [
        ({"events": NewestTransaction(8, AUTHORIZATION, 41, 0)}, 8, []),
        ({"events": NewestTransaction(9, AUTHORIZATION, 44, 0)}, 9, []),
        ({"events": NewestTransaction(9, AUTHORIZATION, 44, 0)}, 8, ["events"]),
        ({"events": NewestTransaction(7, AUTHORIZATION, 39, 0)}, 8, ["events"]),
        ({"events": NewestTransaction(0, AUTHORIZATION, 0, 41)}, 8, []),  # retention took its place
        ({"authorizations": NewestTransaction(7, AUTHORIZATION, 39, 0)}, 8, []),  # compaction may take a tombstone
        ({"dead_letters": NewestTransaction(0, AUTHORIZATION, 0, 0)}, 8, []),  # no part of it
    ],
)
def test_only_a_transaction_that_a_topic_must_show_and_lacks_is_torn(newest, last, halves):
    assert [topic for _, topic, *_ in torn(8, PARTS, newest, last)] == halves


def test_every_command_has_its_end_in_the_table():
    ending = {*CALLER_COMMANDS, CommandType.COMMAND_REDRIVE}
    assert ending | set(OWN_EVENT_OF) | MAY_LEAVE_NOTHING == set(COMMANDS)
    assert len(ending) + len(OWN_EVENT_OF) + len(MAY_LEAVE_NOTHING) == len(COMMANDS)
    assert {reason.value for reason in REFUSALS} == {"not_dead_lettered", "too_many_commands"}
    assert {rule.promise for rule in PromiseRule} == set(PROMISES)
    assert OWN < 0
    assert short_type(EventType.COMMAND_FINISHED) == "command.finished"


def test_ends_beyond_the_bound_are_not_examined():
    story = told(*["watch"] * (MOST_ENDS + 1))
    found = story.judged()
    assert not found.violations
    assert found.not_examined.total() == 1


NOTES = "Patient's portal showed Dr. Miller"


@pytest.mark.parametrize(("sealed", "is_clear"), [(True, False), (False, True)])
def test_a_report_without_encryption_is_clear_text(sealed, is_clear):
    report = Completed(reported_outcome=ReportedOutcome.SUBMITTED, operator_notes=NOTES)
    close = HandoffClose(handoff_id="mhand_1", result=report)
    id_ = "00000001-0000-4000-8000-000000000000"
    command = RecordedCommand(id_, "intake", AUTHORIZATION, parse_time("2026-06-02T14:00:00Z"), close)
    headers, value = write_command(command, "/collate-gateway/test", new_keys())

    class Record:
        offset, key, timestamp = 4, AUTHORIZATION.encode(), 0

    Record.headers, Record.value = headers, value if sealed else close.to_json()
    seen = logged_command(Record, 0)
    assert (seen.type, seen.has_clear_text) == ("handoff.close", is_clear)
    assert not has_secret(Record.value)
    # The encrypted part beside the text in clear.
    Record.value = value.replace(b'"type":"completed"', b'"type":"completed","operatorNotes":"x"')
    assert Record.value != value
    assert logged_command(Record, 0).has_clear_text


@pytest.mark.parametrize(
    "value",
    [b'{"a":"https://portal.example.com/s/abc"}', b"whsec_abc", b"Bearer x", b"-----BEGIN PRIVATE KEY-----",
     b"eyJhbGciOiJkaXIifQ.eyJhbGciOiJkaXIifQ.x"],
)  # fmt: skip
def test_the_form_of_a_secret_is_found(value):
    found = SeenPartition()
    found.see_value("events", AUTHORIZATION, 3, value)
    assert set(found.findings.found) == {PromiseRule.SECRET}


def test_only_what_a_second_look_finds_too_is_a_violation():
    first, second = told(*WHOLE), told(*WHOLE)
    PLANTED[PromiseRule.TWO_ENDS](first)
    PLANTED[PromiseRule.TWO_ENDS](second)
    PLANTED[PromiseRule.EVENT_ID](first)
    found = first.judged()
    found.seen_again(second.judged())
    assert set(found.found) == {PromiseRule.TWO_ENDS} == {one.rule for one in found.violations}


@pytest.mark.parametrize("name", ["requestedBy", "ticket", "caller", "operator"])
def test_a_link_in_a_name_or_a_ticket_is_no_secret_and_one_elsewhere_is(name):
    assert not has_secret(b'{"%s":"https://intranet/jo","outcome":"applied"}' % name.encode())
    assert has_secret(b'{"%s":"jo","advice":"https://live/1"}' % name.encode())
