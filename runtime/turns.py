"""Turns of senders: each sender with waiting items gets one place, then the next sender. Pure.

    A: a1 a2 a3 a4 ┐
    B: b1          ├─▶ a1 b1 c1 a2 c2 a3 a4
    C: c1 c2       ┘

A sender that comes has its first place before the senders that had one; then senders follow in the order of their last
places. So before an item each other sender gets at most one place for each own item ahead of it, and once more. Every
method takes constant time.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

# The share of work that is not urgent: every ninth place while it waits (decision 0022).
OTHERS_EVERY: Final = 9
# A sender beyond this number that comes back counts as new.
_MOST_REMEMBERED: Final = 1_024


class Turns(Generic[Item]):
    """The waiting items of several senders.

    A sender without items is remembered until its next place would have come. Otherwise it would be new with each item,
    and would get more places than a sender that always waits.
    """

    def __init__(self) -> None:
        # `OrderedDict` finds its first key in constant time; a dict searches the places of deleted keys.
        self._senders: OrderedDict[Item, str] = OrderedDict()  # all items, in the order of their arrival
        self._items: dict[str, OrderedDict[Item, None]] = {}
        self._new: OrderedDict[str, None] = OrderedDict()
        self._served: OrderedDict[str, None] = OrderedDict()  # in the order of their last places

    def __len__(self) -> int:
        """Count the items."""
        return len(self._senders)

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the first item of each sender, in the order of turns."""
        for senders in (self._new, self._served):
            for sender in senders:
                if sender in self._items:
                    yield next(iter(self._items[sender]))

    @property
    def oldest(self) -> Item | None:
        """The item that arrived first."""
        return next(iter(self._senders), None)

    @property
    def remembered(self) -> int:
        """The number of senders that wait or had a place lately."""
        return len(self._new) + len(self._served)

    def add(self, sender: str, item: Item) -> None:
        """Put an item behind the sender's other items."""
        self._senders[item] = sender
        if (items := self._items.get(sender)) is None:
            items = self._items[sender] = OrderedDict()
            if sender not in self._served:
                self._new[sender] = None
        items[item] = None

    def take(self) -> Item:
        """Remove the next item; its sender's turn ends. Raises StopIteration if there is none."""
        if len(self._senders) == 1:  # nearly always, while no backlog waits
            item, _ = self._senders.popitem()
            self._items.clear()
            self._new.clear()
            self._served.clear()
            return item
        item = next(iter(self))
        self.end_turn(item)
        return item

    def end_turn(self, item: Item) -> None:
        """Remove an item that gets a place: the next place of its sender comes after those of the others."""
        self.count_place(self._remove(item))
        self._forget()

    def count_place(self, sender: str) -> None:
        """Count a place of a sender, also one that no item had to wait for."""
        self._new.pop(sender, None)
        self._served.pop(sender, None)
        if sender in self._items or len(self._served) < _MOST_REMEMBERED:
            self._served[sender] = None

    def discard(self, item: Item) -> bool:
        """Remove an item and return True if it waits here; its sender keeps its turn."""
        if item not in self._senders:
            return False
        self._remove(item)
        self._forget()
        return True

    def ahead(self, sender: str) -> int:
        """Return the most of the waiting items that go before another item of this sender."""
        if sender not in self._items and sender not in self._served:
            return len(self._new)
        own = len(self._items.get(sender, ()))
        others = len(self._items) - (own > 0)
        return own + min(len(self) - own, (own + 1) * others)

    def _remove(self, item: Item) -> str:
        sender = self._senders.pop(item)
        items = self._items[sender]
        del items[item]
        if not items:
            del self._items[sender]
            self._new.pop(sender, None)
        return sender

    def _forget(self) -> None:
        """Forget senders without items whose place would be next: it is the same as that of a new sender."""
        while self._served and next(iter(self._served)) not in self._items:
            self._served.popitem(last=False)
