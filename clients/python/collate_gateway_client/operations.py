"""The operations of the API: each function returns the call of one operation, without sending it.

A query's or a body's member of None is left out. A POST has an Idempotency-Key: `key`, or a new one.
"""

# Made by `make docs` from schemas/published; don't edit.

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from collate_gateway_client import models
from collate_gateway_client.calls import Call, path_of, post, read


class OperatorQuery(TypedDict, total=False):
    operator: str | None


def request_handoff(
    authorization_id: str, body: models.HandoffRequest | None = None, key: str | None = None
) -> Call[models.CommandOutcome | models.CommandAccepted]:
    """Request a manual handoff."""
    return post(path_of("authorizations", authorization_id, "handoffs"), body, key)


def close_handoff(
    authorization_id: str, handoff_id: str, body: models.HandoffCloseBody, key: str | None = None
) -> Call[models.CommandOutcome | models.CommandAccepted]:
    """Close a handoff with the operator's report."""
    return post(path_of("authorizations", authorization_id, "handoffs", handoff_id, "close"), body, key)


def watch_authorization(
    authorization_id: str, body: models.AuthorizationWatch | None = None, key: str | None = None
) -> Call[models.CommandOutcome | models.CommandAccepted]:
    """Watch an authorization until it settles."""
    return post(path_of("authorizations", authorization_id, "watch"), body, key)


class ListCommandsQuery(TypedDict, total=False):
    authorizationId: str | None
    status: models.CommandState | None
    kind: models.CommandKind | None
    reason: str | None
    caller: str | None
    metadata: Mapping[str, str] | None
    since: str | None
    before: str | None
    cursor: str | None
    limit: int | None
    order: models.Order | None


def list_commands(query: ListCommandsQuery | None = None) -> Call[models.CommandList]:
    """Commands by acceptance: your own, or all with authorization:read."""
    return read(path_of("commands"), query)


class ReadHandoffQuery(TypedDict, total=False):
    message: Literal["omit"] | None
    since: str | None
    operator: str | None


def read_handoff(
    authorization_id: str, handoff_id: str, query: ReadHandoffQuery | None = None
) -> Call[models.LiveHandoff]:
    """Read an authorization and its handoff from Collate now; `active` means the running handoff."""
    return read(path_of("authorizations", authorization_id, "handoffs", handoff_id), query)


def create_access_grant(
    authorization_id: str, handoff_id: str, body: models.AccessGrantBody, key: str | None = None
) -> Call[models.AccessGranted]:
    """Create a short-lived link into the live payer session; `active` means the running handoff."""
    return post(path_of("authorizations", authorization_id, "handoffs", handoff_id, "access-grants"), body, key)


def release_handoff(
    authorization_id: str, handoff_id: str, body: models.ReleaseBody | None = None
) -> Call[models.ReleaseAccepted]:
    """Give back a handoff that you have claimed. For people, with their own token."""
    return post(path_of("authorizations", authorization_id, "handoffs", handoff_id, "release"), body)


def read_review_snapshot(authorization_id: str, query: OperatorQuery | None = None) -> Call[models.Review]:
    """Read the snapshot that a reviewer must accept before a handoff."""
    return read(path_of("authorizations", authorization_id, "review-snapshot"), query)


def read_payer_evidence(authorization_id: str, query: OperatorQuery | None = None) -> Call[models.PayerEvidence]:
    """Read the payer's receipt and decision as Collate shows them: the payer's truth."""
    return read(path_of("authorizations", authorization_id, "payer-evidence"), query)


class StreamEventsQuery(TypedDict, total=False):
    type: Sequence[models.EventType] | None
    authorizationId: Sequence[str] | None


def stream_events(query: StreamEventsQuery | None = None) -> Call[None]:
    """Stream the events as server-sent events."""
    return read(path_of("events"), query)


def open_api() -> Call[dict[str, object]]:
    """This document."""
    return read("/openapi.json")


def async_api() -> Call[dict[str, object]]:
    """The topics and events."""
    return read("/asyncapi.json")


class ReadCommandQuery(TypedDict, total=False):
    at: str | None


def read_command(command_id: str, query: ReadCommandQuery | None = None) -> Call[models.CommandStatus]:
    """The status of a command: your own, or any with authorization:read."""
    return read(path_of("commands", command_id), query)


def read_authorization(authorization_id: str) -> Call[models.AuthorizationStatus]:
    """The status of an authorization."""
    return read(path_of("authorizations", authorization_id))


class ReadTimelineQuery(TypedDict, total=False):
    since: str | None
    cursor: str | None
    limit: int | None
    order: models.Order | None


def read_timeline(authorization_id: str, query: ReadTimelineQuery | None = None) -> Call[models.Timeline]:
    """The commands, attempts and events of an authorization, in order."""
    return read(path_of("authorizations", authorization_id, "timeline"), query)


class ListHandoffsQuery(TypedDict, total=False):
    state: models.HandoffState | None
    since: str | None
    cursor: str | None
    limit: int | None
    order: models.Order | None


def list_handoffs(query: ListHandoffsQuery | None = None) -> Call[models.HandoffList]:
    """Handoffs in one state, by the time of the opening or the end."""
    return read(path_of("handoffs"), query)


class ListAuthorizationsQuery(TypedDict, total=False):
    needs: models.Needs | None
    order: models.WorkOrder | None
    payer: str | None
    claimedBy: str | None
    caller: str | None
    metadata: Mapping[str, str] | None
    since: str | None
    before: str | None
    cursor: str | None
    limit: int | None


def list_authorizations(query: ListAuthorizationsQuery | None = None) -> Call[models.AuthorizationList]:
    """The work list: authorizations that need work, the most urgent first unless `order` says another."""
    return read(path_of("authorizations"), query)


class ListTroublesQuery(TypedDict, total=False):
    operator: str | None
    since: str | None


def list_troubles(query: ListTroublesQuery | None = None) -> Call[models.TroubleList]:
    """The handoffs of one person that need them first: at risk, ended without a report, or contradicted."""
    return read(path_of("troubles"), query)


class FindIdsQuery(TypedDict, total=False):
    prefix: str | None


def find_ids(query: FindIdsQuery | None = None) -> Call[models.IdsFound]:
    """The ids of authorizations and commands that begin with a text."""
    return read(path_of("ids"), query)


class ReadOverviewQuery(TypedDict, total=False):
    history: Literal["1h"] | None


def read_overview(query: ReadOverviewQuery | None = None) -> Call[models.Overview]:
    """The state of the whole gateway."""
    return read(path_of("overview"), query)


def empty_recent_commands(
    authorization_id: str, body: models.RecentCommandsDecision, key: str | None = None
) -> Call[models.RecentCommandsAccepted]:
    """Let the gateway forget recent commands, so that a caller's new commands have room."""
    return post(path_of("authorizations", authorization_id, "recent-commands", "empty"), body, key)


def lower_version_floor(
    authorization_id: str, body: models.VersionFloorDecision, key: str | None = None
) -> Call[models.VersionFloorAccepted]:
    """Let the gateway accept lower versions, after Collate was restored from a backup."""
    return post(path_of("authorizations", authorization_id, "version-floor", "lower"), body, key)


def read_me() -> Call[models.Me]:
    """Who you are, and what you may do."""
    return read(path_of("me"))


class ListDeadLettersQuery(TypedDict, total=False):
    cause: str | None
    command: str | None
    caller: str | None
    authorizationId: str | None
    since: str | None
    before: str | None
    digest: Literal["true"] | None
    cursor: str | None
    limit: int | None


def list_dead_letters(query: ListDeadLettersQuery | None = None) -> Call[models.DeadLetterList]:
    """Commands that wait for an operator, oldest first."""
    return read(path_of("dead-letters"), query)


def decide_dead_letters(body: models.DeadLetterDecisions) -> Call[models.DeadLettersDecided]:
    """Redrive or discard all dead letters that match, in steps of at most 20."""
    return post(path_of("dead-letters", "decisions"), body)


def read_dead_letter(command_id: str) -> Call[models.DeadLetterDetail]:
    """All public fields of a dead letter."""
    return read(path_of("dead-letters", command_id))


def read_dead_letter_original(command_id: str, query: OperatorQuery | None = None) -> Call[models.DeadLetterOriginal]:
    """The original data, with PHI. The read is on record before the response leaves."""
    return read(path_of("dead-letters", command_id, "original"), query)


def read_dead_letter_situation(command_id: str) -> Call[models.DeadLetterSituation]:
    """The current state of its authorization at Collate."""
    return read(path_of("dead-letters", command_id, "situation"))


def redrive_dead_letter(
    command_id: str, body: models.DeadLetterDecision
) -> Call[models.CommandOutcome | models.CommandAccepted]:
    """Retry the command with its recorded writes."""
    return post(path_of("dead-letters", command_id, "redrive"), body)


def discard_dead_letter(
    command_id: str, body: models.DeadLetterDecision
) -> Call[models.CommandOutcome | models.CommandAccepted]:
    """Discard the command."""
    return post(path_of("dead-letters", command_id, "discard"), body)
