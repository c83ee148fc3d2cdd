"""The problems that a caller can get (RFC 9457): one class per remedy. `port_problems` has those of every port.

    Problem
    ├─ Unreadable (400)        MalformedJson · InvalidHeader · InvalidParameter · KeyMissing
    ├─ Unauthenticated (401)   SignatureNotAccepted
    ├─ StepUpRequired (401)
    ├─ NotPermitted (403) · WritesOff (403)
    ├─ NotFound (404)          NoReadModel · NotADeadLetter
    ├─ MethodNotAllowed (405) · BodyTimedOut (408)
    ├─ BodyTooLarge (413) · UrlTooLong (414) · UnsupportedMediaType (415) · HeadersTooLarge (431)
    ├─ InvalidCommand (422) · NamesAnotherPerson (422) · KeyReused (422)
    ├─ TooManyRequests (429) · TooManyInFlight (429) · TooManyUnfinished (429) · TooManyUnknown (429)
    ├─ dead letters (409)      DeadLetterMoved · DeadLettersChanged · NotRedrivable
    ├─ live calls (404)        AuthorizationNotFound · HandoffNotFound · NoReviewSnapshot · NoPayerEvidence
    │             (409)        HandoffNotOpen · AlreadyClaimed · AccessUnavailable · CollateRefused
    ├─ InternalError (500) · TransferCodingUnknown (501) · CollateFailed (502) · DeadlinePassed (504)
    ├─ VersionNotSupported (505)
    └─ Unavailable (503)       CredentialsUnchecked · KafkaUnavailable · AuditUnavailable · CollateUnavailable
                               DeadLettersUnread · ClaimUnknown · ReadModelUnavailable · Overloaded · Stopping

The docstring of a class is the `title`. `slug` is the last part of `type` and the label of metrics. A problem never
carries a value that a caller sent: it names a JSON pointer, a header or a parameter, and the value expected there.
"""

from runtime.http_server.port_problems import Unavailable, Unreadable
from runtime.http_server.problem import Problem

_CREDENTIAL = "Send the credential that was issued to your service, unexpired, as `Authorization: Bearer <credential>`."


class MalformedJson(Unreadable):
    """The body is not one JSON object."""

    slug = "malformed-json"


class InvalidParameter(Unreadable):
    """A parameter of the URL is invalid."""

    slug = "invalid-parameter"


class KeyMissing(Unreadable):
    """The Idempotency-Key header is missing."""

    slug = "idempotency-key-missing"


class Unauthenticated(Problem):
    """The caller is not authenticated."""

    status, slug = 401, "unauthenticated"

    def __init__(self, detail: str = _CREDENTIAL) -> None:
        """Name no wrong part of the credential: it would help an attacker."""
        super().__init__(detail, headers={"www-authenticate": "Bearer"})


class StepUpRequired(Problem):
    """The person must sign in with a second factor, or again."""

    status, slug = 401, "step-up-required"


class SignatureNotAccepted(Unauthenticated):
    """A signature is not accepted for this request."""

    slug = "signature-not-accepted"


class NotPermitted(Problem):
    """The caller lacks the permission."""

    status, slug = 403, "not-permitted"


class OpenedByAnother(Problem):
    """Another caller opened the handoff."""

    status, slug = 403, "not-the-opener"


class WritesOff(Problem):
    """This gateway is a shadow and sends no write to Collate."""

    status, slug = 403, "writes-off"


class NotFound(Problem):
    """The resource does not exist."""

    status, slug = 404, "not-found"


class NoReadModel(NotFound):
    """This installation has no read model."""

    slug = "no-read-model"


class MethodNotAllowed(Problem):
    """The path does not support this method."""

    status, slug = 405, "method-not-allowed"


class InvalidCommand(Problem):
    """The body does not match its schema."""

    status, slug = 422, "invalid-command"


class NamesAnotherPerson(Problem):
    """The request names another person than its token."""

    status, slug = 422, "names-another-person"


class KeyReused(Problem):
    """The Idempotency-Key was used with another body."""

    status, slug = 422, "idempotency-key-reused"


class TooManyRequests(Problem):
    """The caller exceeds its request rate."""

    status, slug = 429, "too-many-requests"


class TooManyInFlight(Problem):
    """The caller has too many requests without a response."""

    status, slug = 429, "too-many-in-flight"


class TooManyUnfinished(Problem):
    """The caller has too many unfinished commands."""

    status, slug = 429, "too-many-unfinished"


class TooManyUnknown(Problem):
    """The caller has named too many authorizations that Collate does not show."""

    status, slug = 429, "too-many-unknown-authorizations"


class HandoffNotOpen(Problem):
    """The handoff is not open."""

    status, slug = 409, "handoff-not-open"


class AlreadyClaimed(Problem):
    """Another person has claimed the handoff."""

    status, slug = 409, "handoff-claimed"


class AccessUnavailable(Problem):
    """Access to the handoff is not available now."""

    status, slug = 409, "access-unavailable"


class NoReviewSnapshot(Problem):
    """The authorization has no review snapshot."""

    status, slug = 404, "no-review-snapshot"


class NoPayerEvidence(Problem):
    """Collate shows no receipt and no decision of the payer."""

    status, slug = 404, "no-payer-evidence"


class AuthorizationNotFound(Problem):
    """Collate does not know the authorization."""

    status, slug = 404, "authorization-not-found"


class HandoffNotFound(Problem):
    """Collate does not know the handoff of this authorization."""

    status, slug = 404, "handoff-not-found"


class NotADeadLetter(NotFound):
    """The command is not a dead letter."""

    slug = "not-a-dead-letter"


class DeadLettersChanged(Problem):
    """The matching dead letters are not those that the operator saw."""

    status, slug = 409, "dead-letters-changed"


class DeadLetterMoved(Problem):
    """The dead letter has changed since it was read."""

    status, slug = 409, "dead-letter-moved"


class NotRedrivable(Problem):
    """The command can't be redriven."""

    status, slug = 409, "not-redrivable"


class CollateRefused(Problem):
    """Collate refused the call."""

    status, slug = 409, "collate-refused"


class InternalError(Problem):
    """The gateway failed."""

    status, slug = 500, "broken"


class CollateFailed(Problem):
    """Collate sent an unusable response."""

    status, slug = 502, "collate-broken"


class CredentialsUnchecked(Unavailable):
    """The credentials can't be checked now."""

    slug = "credentials-unchecked"


class KafkaUnavailable(Unavailable):
    """The command could not be written to Kafka."""

    slug, is_of_replica = "kafka-unavailable", True


class AuditUnavailable(Unavailable):
    """The access could not be recorded."""

    slug, is_of_replica = "audit-unavailable", True


class ClaimUnknown(Unavailable):
    """Whether another person has claimed the handoff is not known now."""

    slug = "claim-unknown"


class OpenerNotKnown(Unavailable):
    """The caller that opened the handoff is not known now."""

    slug = "opener-unknown"


class CollateUnavailable(Unavailable):
    """Collate is not available now."""

    slug = "collate-unavailable"


class DeadLettersUnread(Unavailable):
    """The dead letters can't be read now."""

    slug, is_of_replica = "dead-letters-unread", True


class ReadModelUnavailable(Unavailable):
    """The read model is not available now."""

    slug = "read-model-unavailable"


class Stopping(Unavailable):
    """This replica is stopping."""

    slug = "stopping"


class DeadlinePassed(Problem):
    """The request took too long."""

    status, slug = 504, "deadline-passed"


def every_problem(root: type[Problem] = Problem) -> list[type[Problem]]:
    """List the classes of the tree, for documents and tests."""
    found = [root]
    for child in root.__subclasses__():
        found += every_problem(child)
    return found
