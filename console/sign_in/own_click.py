"""Whether a person of the console opened a page: asked before a read of a patient's data is put on record."""

from starlette.requests import Request

from console.errors import OpenedElsewhere
from console.sign_in.return_path import safe_return_path


def require_own_click(request: Request) -> None:
    """Raise OpenedElsewhere unless a page of the console, or the person's address bar, led here.

    No page of another site can change Sec-Fetch-Site; each browser of today sends it to https and to this machine.
    """
    if request.headers.getlist("sec-fetch-site") not in (["same-origin"], ["none"]):
        raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        raise OpenedElsewhere(safe_return_path(raw.partition(b"?")[0].decode("latin-1")))
