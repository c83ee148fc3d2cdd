"""The credential of one try. A function is called for each try, so that a token can be renewed."""

from collections.abc import Callable

from collate_gateway_client.credentials import Signer, bearer

Credential = str | Callable[[], str] | Signer


def authorization(credential: Credential) -> dict[str, str]:
    """Return the Authorization header. Raises ValueError for one that cannot be sent, TypeError for a signer."""
    if isinstance(credential, Signer):
        raise TypeError("a signer can only send commands with `send_event`: use an API key or a token")
    return bearer(credential() if callable(credential) else credential)
