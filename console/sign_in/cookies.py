"""The cookies of the console: encrypted, and split because browsers drop a cookie above 4 KB.

`__Host-` binds a cookie to this host and to https, so that no other host of the domain can set it. On plain HTTP, which
is only for this machine, browsers refuse the prefix and `Secure`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from starlette.responses import Response

PART_CHARACTERS: Final = 3_800
MOST_PARTS: Final = 4
_COUNTED: Final = re.compile(r"([1-4])~(.*)")


def set_cookies(response: Response, cookies: Iterable[str]) -> None:
    """Add Set-Cookie headers to a response."""
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)


class CookieTooLarge(Exception):
    """The content does not fit into the cookies."""


class CookieJar:
    """Writes and reads one value as one to four cookies: `NAME`, `NAME-1` and so on."""

    def __init__(self, name: str, *, encrypted: bool) -> None:
        """`encrypted`: browsers reach the console by https."""
        self._names = [f"{'__Host-' * encrypted}{name}{f'-{part}' * bool(part)}" for part in range(MOST_PARTS)]
        self._attributes = f"Path=/; HttpOnly; SameSite=Lax{'; Secure' * encrypted}"

    def read(self, cookies: Mapping[str, str]) -> str | None:
        """Return the value; None if a part is missing."""
        counted = _COUNTED.fullmatch(cookies.get(self._names[0], ""))
        if counted is None:
            return None
        parts = [counted[2], *(cookies.get(name) for name in self._names[1 : int(counted[1])])]
        return None if None in parts else "".join(part for part in parts if part is not None)

    def write(self, value: str, present: Mapping[str, str], *, seconds: int | None = None) -> list[str]:
        """Return the Set-Cookie headers of a value. Parts that `present` has and the value does not need are removed.

        Without `seconds` the cookie ends with the browser. Raises CookieTooLarge.
        """
        parts = [value[start : start + PART_CHARACTERS] for start in range(0, len(value), PART_CHARACTERS)]
        if len(parts) > MOST_PARTS:
            raise CookieTooLarge(f"{len(value)} characters, at most {PART_CHARACTERS * MOST_PARTS} fit")
        parts[0] = f"{len(parts)}~{parts[0]}"
        life = "" if seconds is None else f"; Max-Age={seconds}"
        written = [f"{name}={part}; {self._attributes}{life}" for name, part in zip(self._names, parts, strict=False)]
        return [*written, *self._removed(self._names[len(parts) :], present)]

    def clear(self, present: Mapping[str, str]) -> list[str]:
        """Return the Set-Cookie headers that remove the value."""
        return list(self._removed(self._names, present))

    def _removed(self, names: list[str], present: Mapping[str, str]) -> Iterator[str]:
        return (f"{name}=; {self._attributes}; Max-Age=0" for name in names if name in present)
