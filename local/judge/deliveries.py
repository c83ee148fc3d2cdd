"""Compares the webhooks that a receiver accepted with the events that were sent. Pure."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

# An authorization and the sequence number of its event.
Numbered: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What a receiver got. Duplicates are allowed."""

    lost: list[Numbered]
    out_of_order: list[tuple[str, int, int]]
    duplicates: int
    delivered: int

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost or out of order."""
        return not self.lost and not self.out_of_order


def compare(accepted: Sequence[Numbered], sent: Iterable[Numbered], gaps: Iterable[Numbered] = ()) -> Deliveries:
    """Check that each event was accepted, and first accepted after its predecessor; `gaps` may be missing."""
    first = list(dict.fromkeys(accepted))
    numbers: dict[str, list[int]] = {}
    for authorization, number in first:
        numbers.setdefault(authorization, []).append(number)
    lost = sorted(set(sent).difference(first, gaps))
    out_of_order = [
        (authorization, before, after)
        for authorization, order in numbers.items()
        for before, after in itertools.pairwise(order)
        if after < before
    ]
    return Deliveries(lost, out_of_order, len(accepted) - len(first), len(first))
