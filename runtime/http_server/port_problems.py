"""The problems of every port: what the server and the bounds of a body answer. `gateway.ingress` adds those of the API.

Problem
├─ Unreadable (400)        InvalidHeader
├─ BodyTimedOut (408) · BodyTooLarge (413) · UrlTooLong (414) · UnsupportedMediaType (415) · HeadersTooLarge (431)
├─ TransferCodingUnknown (501) · VersionNotSupported (505)
└─ Unavailable (503)       Overloaded
"""

from runtime.http_server.problem import Problem


class Unreadable(Problem):
    """The request is malformed."""

    status, slug = 400, "unreadable"


class InvalidHeader(Unreadable):
    """A header is missing, repeated or malformed."""

    slug = "invalid-header"


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
    """The media type of the body is not supported."""

    status, slug = 415, "unsupported-media-type"


class HeadersTooLarge(Problem):
    """The headers are too many or too large."""

    status, slug = 431, "headers-too-large"


class TransferCodingUnknown(Problem):
    """The transfer coding is not supported."""

    status, slug = 501, "transfer-coding-unknown"


class Unavailable(Problem):
    """The gateway can't serve the request now."""

    status, slug = 503, "unavailable"


class Overloaded(Unavailable):
    """The gateway is overloaded."""

    slug = "overloaded"


class VersionNotSupported(Problem):
    """The HTTP version is not supported."""

    status, slug = 505, "http-version-not-supported"
