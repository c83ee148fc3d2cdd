"""Checks of a run of a shadow: no write reached Collate, and each write that was not sent is named. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from local.judge.checks import BrokenPromise
from local.judge.recorded import Evidence

_NONE: Final = ("rejected", "none", True)


def find_broken_by_shadow(run: Evidence, calls: Iterable[tuple[str, str]]) -> Iterator[BrokenPromise]:
    """Yield what a shadow must not do. `calls` are the method and the path of each request that Collate received."""
    for method, path in calls:
        if method != "GET":
            yield BrokenPromise("a shadow sent a write", f"{method} {path}")
    for effect in run.effects:
        if effect.by == "client":
            yield BrokenPromise("a shadow had an effect", f"{effect.kind} of {effect.handoff_id}")
    for event in run.events:
        if event.kind != "command.finished":
            continue
        end = event.data
        said = end["outcome"], end["effect"], "wouldSend" in end
        is_off = end.get("reason") == "writes_off"
        if said != _NONE if is_off else "wouldSend" in end or end["effect"] != "none":
            yield BrokenPromise("a shadow ended a command with a write it did not send", f"{end['commandId']}: {said}")
    for command, cause in run.dead_letters.items():
        if cause == "outcome_unknown":
            yield BrokenPromise("a shadow does not know the outcome of a write", command)
