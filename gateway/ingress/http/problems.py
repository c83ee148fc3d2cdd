"""What can go wrong for a caller, as RFC 9457 problems: one class per thing that a caller fixes differently.

    Problem
    ├─ Unreadable (400)        MalformedJson · InvalidHeader · InvalidParameter · KeyMissing
    ├─ Unauthenticated (401) · NotPermitted (403)
    ├─ NotFound, NoReadModel (404) · MethodNotAllowed (405) · BodyTimedOut (408)
    ├─ TooLarge                BodyTooLarge (413) · UrlTooLong (414) · HeadersTooLarge (431)
    ├─ UnsupportedMediaType (415)
    ├─ InvalidCommand (422) · KeyReused (422)
    ├─ TooManyRequests (429)
    ├─ dead letters            NotADeadLetter (404) · DeadLetterMoved · NotRedrivable (409) · DeadLettersUnread (503)
    ├─ live calls (404)        AuthorizationNotFound · HandoffNotFound · NoReviewSnapshot
    │             (409)        HandoffNotOpen · AccessUnavailable · CollateRefused
    ├─ Broken (500) · CollateBroken (502) · DeadlinePassed (504)
    └─ Unavailable (503)       KafkaUnavailable · AuditUnavailable · CollateUnavailable · ReadModelUnavailable
                               Overloaded · Stopping

A docstring is the `title`, `slug` is the last part of `type` and the metric label. No problem ever carries a value that
a caller sent: it says where (a JSON pointer, a header, a parameter) and what was expected there.
"""

from gateway.ingress.http.problem import Problem


class Unreadable(Problem):
    """The request can't be read."""

    status, slug = 400, "unreadable"


class MalformedJson(Unreadable):
    """The body is not the JSON that was expected."""

    slug = "malformed-json"


class InvalidHeader(Unreadable):
    """A header is missing, doubled or malformed."""

    slug = "invalid-header"


class InvalidParameter(Unreadable):
    """A part of the URL is malformed."""

    slug = "invalid-parameter"


class KeyMissing(Unreadable):
    """The Idempotency-Key header is required."""

    slug = "idempotency-key-missing"


class Unauthenticated(Problem):
    """The caller is not known."""

    status, slug = 401, "unauthenticated"

    def __init__(self) -> None:
        """Tell nothing about which part was wrong."""
        super().__init__(
            "Send the credential that was issued to your service, unexpired, as `Authorization: Bearer <credential>`.",
            headers=((b"www-authenticate", b"Bearer"),),
        )


class NotPermitted(Problem):
    """The caller may not do this."""

    status, slug = 403, "not-permitted"


class NotFound(Problem):
    """Nothing is here."""

    status, slug = 404, "not-found"


class NoReadModel(NotFound):
    """This installation keeps no status."""

    slug = "no-read-model"


class MethodNotAllowed(Problem):
    """This address takes another method."""

    status, slug = 405, "method-not-allowed"


class BodyTimedOut(Problem):
    """The body did not arrive in time."""

    status, slug = 408, "body-timed-out"


class BodyTooLarge(Problem):
    """The body is too large."""

    status, slug = 413, "body-too-large"


class UrlTooLong(Problem):
    """The URL is too long."""

    status, slug = 414, "url-too-long"


class UnsupportedMediaType(Problem):
    """The body's media type is not one that is read here."""

    status, slug = 415, "unsupported-media-type"


class InvalidCommand(Problem):
    """The command does not fit its schema."""

    status, slug = 422, "invalid-command"


class KeyReused(Problem):
    """The Idempotency-Key was used for another body."""

    status, slug = 422, "idempotency-key-reused"


class TooManyRequests(Problem):
    """The caller is over its rate."""

    status, slug = 429, "too-many-requests"


class HeadersTooLarge(Problem):
    """The headers are too many or too large."""

    status, slug = 431, "headers-too-large"


class HandoffNotOpen(Problem):
    """There is no open handoff to enter."""

    status, slug = 409, "handoff-not-open"


class AccessUnavailable(Problem):
    """The handoff can't be entered now."""

    status, slug = 409, "access-unavailable"


class NoReviewSnapshot(Problem):
    """The authorization has no review snapshot."""

    status, slug = 404, "no-review-snapshot"


class AuthorizationNotFound(Problem):
    """Collate knows no such authorization."""

    status, slug = 404, "authorization-not-found"


class HandoffNotFound(Problem):
    """Collate knows no such handoff of this authorization."""

    status, slug = 404, "handoff-not-found"


class NotADeadLetter(NotFound):
    """The command is no dead letter."""

    slug = "not-a-dead-letter"


class DeadLetterMoved(Problem):
    """The dead letter is not as you saw it."""

    status, slug = 409, "dead-letter-moved"


class NotRedrivable(Problem):
    """The command can't be tried again."""

    status, slug = 409, "not-redrivable"


class CollateRefused(Problem):
    """Collate refused the call."""

    status, slug = 409, "collate-refused"


class InternalError(Problem):
    """The gateway failed."""

    status, slug = 500, "broken"


class CollateFailed(Problem):
    """Collate's answer can't be used."""

    status, slug = 502, "collate-broken"


class Unavailable(Problem):
    """The gateway can't serve this now."""

    status, slug = 503, "unavailable"


class KafkaUnavailable(Unavailable):
    """The command could not be kept."""

    slug = "kafka-unavailable"


class AuditUnavailable(Unavailable):
    """The access could not be recorded."""

    slug = "audit-unavailable"


class CollateUnavailable(Unavailable):
    """Collate can't be reached now."""

    slug = "collate-unavailable"


class DeadLettersUnread(Unavailable):
    """The dead letters can't be read now."""

    slug = "dead-letters-unread"


class ReadModelUnavailable(Unavailable):
    """Status can't be read now."""

    slug = "read-model-unavailable"


class Overloaded(Unavailable):
    """The gateway has too much to do."""

    slug = "overloaded"


class Stopping(Unavailable):
    """This replica is stopping."""

    slug = "stopping"


class DeadlinePassed(Problem):
    """The request took too long."""

    status, slug = 504, "deadline-passed"


def every_problem(root: type[Problem] = Problem) -> list[type[Problem]]:
    """List the tree's classes, for the documents and the tests."""
    found = [root]
    for child in root.__subclasses__():
        found += every_problem(child)
    return found
