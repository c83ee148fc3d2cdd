"""The read routes of an installation without a read model: they say so, to callers that are known."""

from typing import NoReturn

from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.http.exchange import Exchange
from gateway.ingress.http.problems import NoReadModel


class NoReads:
    """The handlers; nothing behind them needs what PostgreSQL needs."""

    def __init__(self, gate: AccessControl) -> None:
        self._gate = gate

    async def _refuse(self, exchange: Exchange) -> NoReturn:
        self._gate.admit(exchange)
        raise NoReadModel("Follow GET /v1/events, or send commands with `Prefer: wait`; nothing else is kept here.")

    command = authorization = timeline = handoffs = overview = _refuse
