"""The requests of the API, as values. Pure.

`operations` makes the calls. A call with an `idempotency_key` may change something. All its tries have the same method,
path and bytes.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Generic, Self, TypeVar
from urllib.parse import quote, urlencode

from collate_gateway_client.errors import NotAnswered, reason_of
from collate_gateway_client.models import BatchedCommands, CommandAccepted

Times = datetime | str | None
"""A time: a datetime with an offset, or the text of RFC 3339."""

MOST_WAIT_SECONDS: Final = 30
_JSON: Final = "application/json"
_STRUCTURED: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"
_DOTS: Final = {".": "%2E", "..": "%2E%2E"}


T = TypeVar("T", covariant=True)  # noqa: PLC0105 -- a field of no class


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. `T` is the type of its answer.

    Attributes:
        message_id: Set for a CloudEvent, which may be signed.
        credential: An API key or a token instead of the client's credential.
        request_id: The id in the gateway's log; without one, the gateway makes it.
        etag: The ETag of an earlier answer. If nothing has changed, the answer is `None`.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    content_type: str = _JSON
    idempotency_key: str | None = None
    message_id: str | None = None
    credential: str | None = field(default=None, repr=False)
    request_id: str | None = None
    etag: str | None = None

    @property
    def target(self) -> str:
        """The path with the query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def headers(self) -> dict[str, str]:
        """Return the headers that do not depend on the try."""
        headers = {"accept": "application/json, application/problem+json"}
        if self.body is not None:
            headers["content-type"] = self.content_type
        if self.idempotency_key is not None and self.message_id is None:
            headers["idempotency-key"] = _quoted(self.idempotency_key)
        named = {"x-request-id": self.request_id, "if-none-match": self.etag}
        return headers | {name: value for name, value in named.items() if value is not None}

    def page_after(self, cursor: str) -> Self:
        """Return the call for the next page of a list."""
        query = tuple(pair for pair in self.query if pair[0] != "cursor")
        return replace(self, query=(*query, ("cursor", cursor)))


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A 2xx with its JSON. `content` has the bytes of the body, `headers["etag"]` the ETag of a read."""

    status: int
    headers: Mapping[str, str]
    body: T
    content: bytes = field(default=b"", repr=False)


class UnreadableAnswer(Exception):
    """A 2xx whose body is not whole in time, not JSON or too large. A call raises NotAnswered instead."""


def new_key() -> str:
    """Return a new Idempotency-Key."""
    return str(uuid.uuid4())


def read(path: str, query: Mapping[str, Any] | None = None) -> Call[Any]:
    """Return a GET. Values of None are left out; `metadata` becomes one parameter for each pair."""
    return Call("GET", path, tuple(_pairs(query or {})))


def post(path: str, body: Mapping[str, Any] | None, key: str | None = None) -> Call[Any]:
    """Return a POST with a key: the given one, or a new one. Members of None are left out."""
    return Call("POST", path, body=_encoded(body or {}), idempotency_key=new_key() if key is None else _checked(key))


def event(
    kind: str, authorization_id: str, data: Mapping[str, Any], *, source: str, event_id: str | None
) -> Call[CommandAccepted]:
    """Return a command as a structured CloudEvent. `source` and `event_id` are its key."""
    key = new_key() if event_id is None else _checked(event_id)
    document = {
        "specversion": "1.0",
        "id": key,
        "source": source,
        "type": kind,
        "subject": authorization_id,
        "datacontenttype": _JSON,
        "data": dict(data),
    }
    return _events(document, _STRUCTURED, key)


def batch(events: Sequence[Mapping[str, Any]]) -> Call[BatchedCommands]:
    """Return a batch of structured CloudEvents. Each event is a command with its own key: `source` and `id`."""
    return _events(list(events), _BATCH, new_key())


def path_of(*segments: str) -> str:
    """Return a path below /v1, each segment quoted."""
    return "/v1/" + "/".join(_DOTS.get(segment) or quote(segment, safe="") for segment in segments)


def status_path(location: str) -> str | None:
    """Return the path of a command's status in a Location. A proxy may have prepended an address."""
    at = location.find("/v1/commands/")
    return None if at < 0 else location[at:]


def parsed(content: bytes) -> Any:
    """Return the JSON of a body. Raises UnreadableAnswer."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise UnreadableAnswer("the answer is no JSON") from None


def failure_of(error: Exception, call: Call[Any]) -> NotAnswered:
    """Return the failure of a try."""
    reason = str(error) if isinstance(error, UnreadableAnswer) else reason_of(error)
    return NotAnswered(f"no answer to {call.method} {call.path}", reason)


def prefer_wait(seconds: float) -> dict[str, str]:
    """Return the Prefer header for a wait, at most what the gateway allows; nothing for less than a second."""
    whole = min(MOST_WAIT_SECONDS, int(seconds + 0.05))  # a moment of the wait has passed
    return {"prefer": f"wait={whole}"} if whole >= 1 else {}


def time_text(time: Times) -> str | None:
    """Return a time as the API reads it. Raises ValueError for a time without an offset."""
    if not isinstance(time, datetime):
        return time
    if time.tzinfo is None:
        raise ValueError("the time has to have an offset, such as datetime.now(UTC)")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def _pairs(query: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        if name == "metadata":
            yield from ((f"metadata.{key}", str(one)) for key, one in (value or {}).items())
        elif isinstance(value, (list, tuple)):
            yield from ((name, str(one)) for one in value)
        elif value is not None:
            yield name, str(value)


def _events(document: object, content_type: str, key: str) -> Call[Any]:
    body = json.dumps(document, separators=(",", ":")).encode()
    return Call("POST", "/v1/commands", body=body, content_type=content_type, idempotency_key=key, message_id=key)


def _checked(key: str) -> str:
    if not 1 <= len(key) <= 255 or not all(" " <= character <= "~" for character in key):
        raise ValueError("the key has to have 1 to 255 characters of printable ASCII")
    return key


def _quoted(key: str) -> str:
    """Return the key as a string of structured fields (RFC 8941)."""
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
