"""The conditions of a list: SQL fragments that are constants, and their values as parameters."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString

from schemas.api.queries import Order


@dataclass(slots=True)
class Conditions:
    """Conditions that all must hold, with the values of their parameters."""

    fragments: list[LiteralString] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, fragment: LiteralString, **values: Any) -> None:
        """Add a condition if its value is given; a condition without a value is always added."""
        if any(value is None for value in values.values()):
            return
        self.fragments.append(fragment)
        self.values |= values

    def between(self, column: LiteralString, since: datetime | None, before: datetime | None) -> None:
        """Add the bounds of a time."""
        self.add(f"{column} >= %(since)s", since=since)
        self.add(f"{column} < %(before)s", before=before)

    def after(self, key: tuple[LiteralString, ...], last: tuple[Any, ...] | None, order: Order = "oldest") -> None:
        """Add the position after the sort key of the previous page's last row."""
        if last is None:
            return
        names: list[LiteralString] = ["after_0", "after_1", "after_2", "after_3"]
        columns, places = ", ".join(key), ", ".join(f"%({name})s" for name in names[: len(key)])
        comparison: LiteralString = ">" if order == "oldest" else "<"
        self.fragments.append(f"({columns}) {comparison} ({places})")
        self.values |= dict(zip(names, last, strict=False))

    @property
    def sql(self) -> LiteralString:
        """All conditions as one."""
        return " AND ".join(self.fragments) or "true"


def ordered(key: tuple[LiteralString, ...], order: Order = "oldest") -> LiteralString:
    """Return the ORDER BY list of a sort key."""
    direction: LiteralString = "ASC" if order == "oldest" else "DESC"
    return ", ".join(f"{column} {direction}" for column in key)


def metadata_json(metadata: Mapping[str, str]) -> str | None:
    """Return the JSON that a command's metadata must contain; None without a condition."""
    return json.dumps(metadata, sort_keys=True) if metadata else None


def label_json(caller: str | None, metadata: Mapping[str, str]) -> str | None:
    """Return the JSON that an authorization's labels must contain; None without a condition."""
    label: dict[str, Any] = {}
    if caller is not None:
        label["caller"] = caller
    if metadata:
        label["metadata"] = dict(metadata)
    return json.dumps([label], sort_keys=True) if label else None
