"""Bugs to plant in an engine, so that the checker is seen to find them. None of them is ours; each is a likely one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def plant(bug: str) -> Iterator[None]:
    raise KeyError(bug)
    yield
