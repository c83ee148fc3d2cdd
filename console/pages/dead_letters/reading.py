"""What the pages of dead letters read from the API: the list by filter, one with its situation, and forecasts."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request

from console.api import Answer, GatewayProblem, Outcome, models, operations
from console.errors import PageError
from console.forecast import Forecast, forecast, forecast_without_situation
from console.page import console_of, person_of
from console.views.dead_letters import FILTERS, ShownForecast, shown_forecast
from schemas.fields.scalars import is_command_id
from schemas.times import format_time

ROWS: Final = 50
AGES: Final = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
_AT_ONCE: Final = 4
_FORECAST_SECONDS: Final = 8.0


def command_of(request: Request) -> str:
    """Return the command's id in the path. Raises PageError."""
    command_id: str = request.path_params["command_id"]
    if not is_command_id(command_id):
        raise PageError(404, "There is no such dead letter", "Choose one of the list.")
    return command_id


def filters_of(values: Mapping[str, str]) -> dict[str, str]:
    """Return the filters that are set. An unknown age is dropped."""
    chosen = {name: values.get(name, "").strip() for name in FILTERS}
    if chosen["since"] not in AGES:
        chosen["since"] = ""
    return {name: value for name, value in chosen.items() if value}


def selection_of(filters: Mapping[str, str], now: datetime) -> operations.ListDeadLettersQuery:
    """Return the filters as the API has them: an age becomes a time."""
    age = AGES.get(filters.get("since", ""))
    return {
        "cause": filters.get("cause"),
        "command": filters.get("command"),
        "caller": filters.get("caller"),
        "authorizationId": filters.get("authorizationId"),
        "since": None if age is None else format_time((now - age).astimezone(UTC)),
    }


async def read_situation(request: Request, command_id: str) -> Outcome[models.DeadLetterSituation]:
    """Read the state of a dead letter's authorization at Collate."""
    call = operations.read_dead_letter_situation(command_id)
    return await console_of(request).api.send(person_of(request), call)


def redrive_forecast(
    dead_letter: models.DeadLetterDetail, situation: Outcome[models.DeadLetterSituation], now: datetime
) -> Forecast | None:
    """Return the forecast of a redrive; None if it depends on the state at Collate, which is not known."""
    if isinstance(situation, Answer):
        return forecast(dead_letter, situation.body, now)
    if isinstance(situation, GatewayProblem) and situation.slug == "authorization-not-found":
        return forecast(dead_letter, None, now)
    return forecast_without_situation(dead_letter, now)


async def forecasts(request: Request, dead_letters: Sequence[models.DeadLetterSummary]) -> list[ShownForecast | None]:
    """Forecast a redrive of each, a few at a time; None for one that was not read in time."""
    places = asyncio.Semaphore(_AT_ONCE)
    api, person, now = console_of(request).api, person_of(request), console_of(request).now()

    async def one(dead_letter: models.DeadLetterSummary) -> ShownForecast | None:
        async with places:
            found = await api.send(person, operations.read_dead_letter(dead_letter["commandId"]))
            if not isinstance(found, Answer):
                return None
            expected = redrive_forecast(found.body, await read_situation(request, dead_letter["commandId"]), now)
        return None if expected is None else shown_forecast(expected, dead_letter.get("command"))

    tasks = [asyncio.create_task(one(dead_letter)) for dead_letter in dead_letters]
    if not tasks:
        return []
    done, late = await asyncio.wait(tasks, timeout=_FORECAST_SECONDS)
    for task in late:
        task.cancel()
    return [task.result() if task in done else None for task in tasks]
