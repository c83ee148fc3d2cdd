from hypothesis import given
from hypothesis import strategies as st

from runtime.turns import Turns

SENDERS = "ABCDE"
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(SENDERS)),
        st.tuples(st.just("take"), st.none()),
        st.tuples(st.just("discard"), st.integers(0, 50)),
    ),
    max_size=120,
)


def taken(turns):
    return [turns.take() for _ in range(len(turns))]


def test_senders_take_turns():
    turns = Turns()
    for item in ("a1", "a2", "a3", "a4", "b1", "c1", "c2"):
        turns.add(item[0], item)
    assert taken(turns) == ["a1", "b1", "c1", "a2", "c2", "a3", "a4"]


def test_a_sender_that_comes_goes_before_those_that_had_a_place_and_only_once():
    turns = Turns()
    for number in range(4):
        turns.add("a", f"a{number}")
        turns.add("b", f"b{number}")
    first = [turns.take() for _ in range(3)]
    turns.add("c", "c0")
    place = turns.take()
    turns.add("c", "c1")
    assert (first, place, taken(turns)) == (["a0", "b0", "a1"], "c0", ["b1", "a2", "c1", "b2", "a3", "b3"])


def test_a_sender_that_leaves_before_its_place_is_new_when_it_comes_back():
    """A call that waits too long is deferred: without this rule it would stand last each time."""
    turns = Turns()
    for number in range(100):
        turns.add("greedy", f"greedy{number}")
    turns.take()
    turns.add("small", "small0")
    turns.discard("small0")
    turns.add("small", "small1")
    assert turns.take() == "small1"


class Checked:
    """`Turns`, with what it promises about each item and each sender that waits."""

    def __init__(self):
        self.turns = Turns()
        self.waiting = {sender: [] for sender in SENDERS}
        self.places = {}  # by sender: the senders of the places since it waits or had a place
        self.bounds = {}  # by item: the items that waited when it came, and how many of them may go before it
        self.added = 0

    @property
    def items(self):
        return {item for items in self.waiting.values() for item in items}

    def add(self, sender):
        self.bounds[self.added] = self.items, self.turns.ahead(sender)
        self.turns.add(sender, self.added)
        if not self.waiting[sender]:
            self.places[sender] = []
        self.waiting[sender].append(self.added)
        self.added += 1

    def discard(self, item):
        assert self.turns.discard(item) is (item in self.items)
        for items in self.waiting.values():
            items[:] = [one for one in items if one != item]

    def take(self, _):
        if not self.items:
            return
        item = self.turns.take()
        sender = next(sender for sender, items in self.waiting.items() if item in items)
        assert self.waiting[sender].pop(0) == item, "the items of a sender were reordered"
        self.count_place(sender)
        ahead, _ = self.bounds.pop(item)
        for other in self.items & self.bounds.keys():
            ahead, most = self.bounds[other]
            self.bounds[other] = ahead - {item}, most - (item in ahead)
            assert self.bounds[other][1] >= 0, "more items went ahead than `ahead` said"

    def count_place(self, sender):
        for other, items in self.waiting.items():
            if items and other != sender:
                self.places[other].append(sender)
                assert self.places[other].count(sender) == 1, f"{sender} got two places before {other}"
        self.places[sender] = []


@given(STEPS)
def test_each_other_sender_gets_at_most_one_place_before_a_sender_that_waits(steps):
    checked = Checked()
    for step, argument in steps:
        getattr(checked, step)(argument)
        assert len(checked.turns) == len(checked.items)
        assert checked.turns.oldest == min(checked.items, default=None)
        assert checked.turns.remembered <= len(SENDERS)
    taken(checked.turns)
    assert checked.turns.remembered == 0, "a sender without items leaves no entry"


def test_remembered_senders_are_bounded():
    turns = Turns()
    turns.add("first", 0)
    turns.add("first", 1)
    turns.take()
    for number in range(2, 3_000):
        turns.add(str(number), number)
        assert turns.take() == number
    assert turns.remembered <= 1_025
