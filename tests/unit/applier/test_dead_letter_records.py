"""The records of dead letters: what an unreadable or lost record shows of itself."""

import pytest

from consumers.applier import dead_letters
from consumers.applier.task import InvalidRecord
from consumers.authorization.state import AmbiguousWrite, CommandWork, EndedIntent, Intent, OpenDeadLetter
from consumers.engine import Record
from schemas.events.reasons import DeadLetterCause

RECORD = Record(3, 41, b"auth_1", b"{}", (), 5.0)
ENDED = EndedIntent(n=1, operation="create", key="k1", if_match=3, version=3, first_sent_at=1.0, ended="same_fault")
INTENT = Intent(n=2, operation="create", if_match=4, version=4, key="k2", body_digest="00", first_sent_at=2.0)
WORK = CommandWork(command_id="c", command="t", caller="me", redrive=1, n=2, intent=INTENT, ended_intents=(ENDED,))


def of(caller):
    return dead_letters.invalid_record(InvalidRecord("why", caller=caller), "c", RECORD, 6.0, None)


@pytest.mark.parametrize(
    ("caller", "shown"),
    [("intake", "intake"), ("x" * 128, "x" * 128), ("x" * 129, None), ("a\x9bb", None), ("", None), (None, None)],
)
def test_a_name_of_an_unreadable_record_is_shown_only_if_it_is_one(caller, shown):
    assert of(caller).caller == shown


def test_an_unreadable_record_keeps_its_position_and_has_no_writes():
    dead_letter = of("intake")
    assert (dead_letter.record.partition, dead_letter.record.offset, dead_letter.intents) == (3, 41, [])


def test_a_lost_record_has_no_position_and_all_its_writes():
    dead_letter = dead_letters.lost_record(WORK, b"auth_1", 6.0)
    assert (dead_letter.record.partition, dead_letter.record.offset) == (-1, -1)
    assert [write["n"] for write in dead_letter.intents] == [1, 2]
    assert (dead_letter.redrive, dead_letter.authorization_id) == (1, "auth_1")


def test_every_write_names_the_first_that_may_have_been_applied():
    ambiguous = AmbiguousWrite(version=3, since=1.0)
    shown = dead_letters.intents(WORK, ambiguous)
    assert [write["maybe"] for write in shown] == [{"version": 3, "since": 1.0}] * 2
    assert [write.get("ended") for write in shown] == ["same_fault", None]
    assert "maybe" not in dead_letters.intents(WORK, None)[0]
    assert dead_letters.intents(None, ambiguous) == []


BEFORE = OpenDeadLetter(at=1.0, command="t", caller="me", effect="none")
ALONE = {DeadLetterCause.OUTCOME_UNKNOWN, DeadLetterCause.RECORD_LOST}
IN_FLIGHT, OVER = ({"n": 1, "operation": "create"}, {"n": 1, "operation": "create", "ended": "version_conflict"})


@pytest.mark.parametrize("cause", DeadLetterCause)
def test_each_cause_can_hide_an_effect_and_the_writes_say_it_where_the_cause_does_not(cause):
    def effect(*writes, before=None):
        record = dead_letters.lost_record(WORK, b"auth_1", 6.0)
        return dead_letters.effect_of(record.model_copy(update={"cause": cause.value, "intents": [*writes]}), before)

    certain = "unknown" if cause in ALONE else "none"
    assert [effect(), effect(OVER), effect(before=BEFORE)] == [certain] * 3
    assert [effect(IN_FLIGHT), effect(OVER | {"maybe": {}}, OVER)] == ["unknown"] * 2
    assert effect(before=BEFORE.replace(effect="unknown")) == "unknown", "the writes of an earlier number still count"
