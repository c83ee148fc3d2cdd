"""The static files: read once at the start, addressed by their hash, and cached by browsers for a year."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

DIRECTORY: Final = Path(__file__).parent / "static"
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
_COMPRESSED: Final = frozenset({".css", ".js", ".svg", ".txt"})
_FOREVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its address, its content, and the content compressed."""

    url: str
    media_type: str
    content: bytes
    compressed: bytes | None


class Assets:
    """The files of a directory by name, such as `console.css` or `vendor/htmx.min.js`."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._by_name = {
            file.relative_to(directory).as_posix(): _read(file, directory)
            for file in sorted(directory.rglob("*"))
            if file.suffix in MEDIA_TYPES and file.is_file()
        }

    def url(self, name: str) -> str:
        """Return the address of a file. Raises KeyError."""
        return self._by_name[name].url

    async def serve(self, request: Request) -> Response:
        """GET /static/{digest}/{name}. An old digest gets the current file, uncached: releases overlap."""
        asset = self._by_name.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        headers = {
            "content-type": asset.media_type,
            "cache-control": _FOREVER if request.url.path == asset.url else "no-store",
            "vary": "accept-encoding",
        }
        content = asset.content
        if asset.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"], content = "gzip", asset.compressed
        return Response(content, headers=headers)


def _read(file: Path, directory: Path) -> Asset:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(
        url=f"/static/{digest}/{file.relative_to(directory).as_posix()}",
        media_type=MEDIA_TYPES[file.suffix],
        content=content,
        compressed=gzip.compress(content, mtime=0) if file.suffix in _COMPRESSED else None,
    )
