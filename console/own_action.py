"""The first read after a person's own action: it waits once for the read model, or the index of dead letters.

The command's outcome is known already, by `Prefer: wait`. Only its traces in the lists follow a moment later.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from console.api import Answer, GatewayProblem, Outcome

T = TypeVar("T")
PAUSE_SECONDS: Final = 0.5
"""The projector follows within this time as a rule. If it does not, a page reads Collate itself, or says so."""


async def read_own_action(read: Callable[[], Awaitable[Outcome[T]]], is_there: Callable[[T], bool]) -> Outcome[T]:
    """Read. If the person's own action is not there yet, wait once and read again."""
    outcome = await read()
    is_missing = isinstance(outcome, GatewayProblem) and outcome.slug == "not-found"
    if is_missing or (isinstance(outcome, Answer) and not is_there(outcome.body)):
        await asyncio.sleep(PAUSE_SECONDS)
        return await read()
    return outcome
