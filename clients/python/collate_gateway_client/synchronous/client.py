# Made by `make docs` from asynchronous/client.py; don't edit.
"""The client: one method for each operation that services and their staff need.

Fields have the names of the API, so the reference is the OpenAPI document that the gateway serves at /openapi.json.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httpx

from collate_gateway_client.calls import path_of, read
from collate_gateway_client.progress import StreamProgress
from collate_gateway_client.retries import RetryPolicy
from collate_gateway_client.synchronous.authorize import Credential
from collate_gateway_client.synchronous.commands import Commands
from collate_gateway_client.synchronous.event_stream import SILENCE_SECONDS, EventStream
from collate_gateway_client.synchronous.reads import Reads
from collate_gateway_client.synchronous.sender import Sender

_DEFAULT_POLICY = RetryPolicy()


class Gateway(Commands, Reads):
    """A gateway, as one caller uses it. Close it, or use it in a block.

    A method that sends a command returns as soon as the command is stored. With `wait` (seconds) it returns the
    outcome, or raises NotFinished. `key` is the Idempotency-Key; without one, each call is a new command. Every
    method raises GatewayProblem and NotAnswered.
    """

    def __init__(
        self,
        base_url: str,
        credential: Credential,
        *,
        retries: RetryPolicy = _DEFAULT_POLICY,
        http: httpx.Client | None = None,
    ) -> None:
        """`credential`: an API key, a token, a function that returns a token, or a Signer.

        `http` replaces the HTTP client, for certificates and proxies; the program closes it.
        """
        self._sender = Sender(base_url, credential, retries, http)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()

    def events(
        self,
        *,
        types: Sequence[str] = (),
        authorization_ids: Sequence[str] = (),
        after: str | None = None,
        give_up_after: float | None = None,
        silence: float = SILENCE_SECONDS,
    ) -> EventStream:
        """Iterate over the events, from now on or behind the position `after`, without an end.

        `give_up_after`: the seconds without a connection after which the last failure is raised.
        """
        call = read(path_of("events"), {"type": tuple(types), "authorizationId": tuple(authorization_ids)})
        progress = StreamProgress(after, is_filtered_by_type=bool(types))
        return EventStream(self._sender, call, progress, give_up_after=give_up_after, silence=silence)
