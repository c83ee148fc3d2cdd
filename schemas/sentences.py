"""The parts that the sentences of a timeline share. Pure."""

from datetime import datetime
from typing import Final

from schemas.callers import asserted_by
from schemas.enums import AssertedBy
from schemas.times import format_time

_MAX_LENGTH: Final = 500


def bounded(sentence: str) -> str:
    """Return a sentence of at most 500 characters, without double spaces."""
    return " ".join(sentence.split())[:_MAX_LENGTH]


def in_words(name: str) -> str:
    """Return a name of a program as words: `handoff close` of `handoff.close`."""
    return name.replace("_", " ").replace(".", " ")


def moment(time: datetime) -> str:
    """Return a time without fractions of a second."""
    return format_time(time.replace(microsecond=0))


def due(at: datetime | None) -> str:
    """Name the due date, if there is one."""
    return "" if at is None else f", due at {moment(at)}"


def at_version(version: int | None) -> str:
    """Name the version, if it is known."""
    return "" if version is None else f", version {version}"


def through(caller: str) -> str:
    """Name the authenticated caller: a service, or the person."""
    return f" (signed in as {caller})" if asserted_by(caller) is AssertedBy.PERSON else f" through {caller}"


def seen(*, receipt: bool, decision: bool) -> str:
    """Name the proofs of the payer that are present."""
    words = ["receipt"] * receipt + ["decision"] * decision
    return f", {' and '.join(words)} seen" if words else ""


def in_parentheses(text: str | None) -> str:
    """Return a text in parentheses, if there is one."""
    return f" ({in_words(text)})" if text else ""


def people(*, requested: str | None = None, accepted: str | None = None, reported: str | None = None) -> str:
    """Name the members of staff, once if they are the same."""
    verbs: dict[str, list[str]] = {}
    for name, verb in ((requested, "requested"), (accepted, "accepted"), (reported, "reported")):
        if name:
            verbs.setdefault(name, []).append(verb)
    return "".join(f", {' and '.join(did)} by {name}" for name, did in verbs.items())
