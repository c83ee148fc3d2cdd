"""Collate's typed error (docs/collate-contract.md §7)."""

from schemas.collate.lenient_types import OpenWord, OrNone, Version
from schemas.model import Public, Tolerant


class ErrorDetails(Tolerant):
    """The error details that the gateway acts on."""

    expected_version: Public[OrNone[Version]] = None
    actual_version: Public[OrNone[Version]] = None
    reason: Public[OrNone[OpenWord]] = None


class ErrorBody(Tolerant):
    """A typed error. Its message is dropped because it may quote a person."""

    code: Public[OpenWord]
    retryable: Public[OrNone[bool]] = None
    details: Public[OrNone[ErrorDetails]] = None


class ErrorEnvelope(Tolerant):
    """A typed error with the id of its request."""

    error: Public[ErrorBody]
    request_id: Public[OrNone[OpenWord]] = None
