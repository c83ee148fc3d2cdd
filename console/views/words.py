"""The fields of answers as the words of pages: the filters of the templates for commands and webhooks. Pure."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from console.api import models
from console.views.problem_words import faulty_fields, problem_words
from runtime.admin.answers import PASSING, SubscriptionCondition
from schemas.enums import short_type
from schemas.events.reasons import for_people
from schemas.sentences import in_words


class Tone(StrEnum):
    """How urgent something is. Pages never show it by colour alone."""

    BAD = "bad"
    WARN = "warn"
    GOOD = "good"
    PLAIN = "plain"


def reason_of(command: models.CommandStatus) -> str | None:
    """Return why a command waits, or why it was not applied."""
    waiting = command.get("waiting")
    return (waiting and waiting["reason"]) or command.get("reason")


def advice_of(command: models.CommandStatus) -> str:
    """Return the sentence for people about the reason of a command."""
    waiting = command.get("waiting")
    return for_people((waiting and waiting.get("advice")) or command.get("advice"))


def webhook_tone(state: str) -> Tone:
    """Return the urgency of a subscription's state; a state of a newer deliverer is bad."""
    if state == SubscriptionCondition.DELIVERING:
        return Tone.GOOD
    return Tone.WARN if state in PASSING else Tone.BAD


def delivery(last: models.LastDelivery) -> str:
    """Return what a subscriber answered last: `503 status 5xx`."""
    status = last.get("status")
    return ("" if status is None else f"{status} ") + last["result"].replace("_", " ")


WORDS: Final[Mapping[str, Callable[..., Any]]] = {
    "short_type": short_type,
    "reason_of": reason_of,
    "advice_of": advice_of,
    "for_people": for_people,
    "in_words": in_words,
    "webhook_tone": webhook_tone,
    "delivery": delivery,
    "problem_words": problem_words,
    "faulty_fields": faulty_fields,
}
"""The filters of the templates, by name."""
