"""The credential of one try. A function is called for each try, so that a token can be renewed."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable

from collate_gateway_client.credentials import Signer, bearer

AsyncCredential = str | Callable[[], str | Awaitable[str]] | Signer


async def authorization(credential: AsyncCredential) -> dict[str, str]:
    """Return the Authorization header. Raises ValueError for one that cannot be sent, TypeError for a signer."""
    if isinstance(credential, Signer):
        raise TypeError("a signer can only send commands with `send_event`: use an API key or a token")
    token = credential() if callable(credential) else credential
    return bearer(await token if isawaitable(token) else token)
