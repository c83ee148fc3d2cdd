"""What a proxy does with the requests of Kafka's clients: rules of chance from a seed, and one directed rule.

    delay_request · delay_answer    pass it later
    hold                            close the client's connection, and send the request later on the broker's
    drop_before · drop_after        close the connection, without or after sending the request
    cut_requests · cut_answers      for some time nothing of this client passes in this direction at this broker
    throttle                        pass the request slowly

A client sees a lost answer after `hold`, `drop_before` and `drop_after`.
"""

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from local.kafka.frames import TRANSACTION, Api, RequestFrame


class FrameAct(StrEnum):
    """What happens to a request."""

    DELAY_REQUEST = "delay_request"
    DELAY_ANSWER = "delay_answer"
    HOLD = "hold"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    CUT_REQUESTS = "cut_requests"
    CUT_ANSWERS = "cut_answers"
    THROTTLE = "throttle"


@dataclass(frozen=True, slots=True)
class FrameRule:
    """A rule: which requests it may meet, how often, and for how many seconds. None means all."""

    act: FrameAct
    probability: float
    seconds: tuple[float, float] = (0.0, 0.0)
    apis: Collection[int] | None = None
    client: str = ""  # a part of the client's id

    def matches(self, frame: RequestFrame) -> bool:
        """Whether the rule may meet this request."""
        return (self.apis is None or frame.api in self.apis) and self.client in frame.client


_ANY: Final = frozenset(set(Api) - {Api.FETCH, Api.API_VERSIONS})
_BAD_NETWORK: Final = (
    FrameRule(FrameAct.DELAY_REQUEST, 0.004, (0.05, 1.5), _ANY),
    FrameRule(FrameAct.DELAY_ANSWER, 0.004, (0.05, 1.5), _ANY),
    FrameRule(FrameAct.HOLD, 0.003, (0.05, 3.0), TRANSACTION),
    FrameRule(FrameAct.DROP_BEFORE, 0.002, apis=_ANY),
    FrameRule(FrameAct.DROP_AFTER, 0.003, apis=_ANY),
    FrameRule(FrameAct.CUT_REQUESTS, 0.0003, (0.5, 4.0)),
    FrameRule(FrameAct.CUT_ANSWERS, 0.0003, (0.5, 4.0)),
    FrameRule(FrameAct.THROTTLE, 0.001, (0.2, 1.0), {Api.PRODUCE}),
)


class FrameRules:
    """Chooses by a seed, and counts which rule met which request."""

    def __init__(self, rules: Sequence[FrameRule] = (), seed: int = 0) -> None:
        self.rules = tuple(rules)
        self.met: Counter[tuple[str, str]] = Counter()
        self._random = random.Random(f"{seed}/frames")

    def choose(self, broker: int, frame: RequestFrame) -> tuple[FrameAct, float] | None:  # noqa: ARG002 - for other rules
        """Return what happens to a request at a broker, and for how many seconds."""
        for rule in self.rules:
            if rule.matches(frame) and self._random.random() < rule.probability:
                self.met[rule.act, frame.name] += 1
                return rule.act, self._random.uniform(*rule.seconds)
        return None


@dataclass(slots=True)
class _Play:
    """One held EndTxn of a transactional id."""

    has_ended: bool = False  # its repeat was answered
    first_write: int | None = None  # the correlation id of the next transaction's first Produce
    may_go: bool = False


@dataclass(slots=True)
class LateCommits:
    """The directed rule: an EndTxn whose answer is lost reaches the coordinator in the middle of the next transaction.

    Its repeat is answered, the first Produce of the next transaction is answered, then the held EndTxn goes. Meanwhile
    the other Produces of this transactional id wait. Synchronous; the proxy asks before it passes anything.
    """

    probability: float
    seed: int = 0
    most: int | None = None
    begun: int = 0
    played: int = 0
    _plays: dict[str, _Play] = field(default_factory=dict)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.seed}/late")

    def holds(self, frame: RequestFrame) -> bool:
        """Whether this EndTxn is held now."""
        own = frame.transactional_id
        if frame.api != Api.END_TXN or own is None or own in self._plays or self.begun == self.most:
            return False
        if self._random.random() >= self.probability:
            return False
        self.begun += 1
        self._plays[own] = _Play()
        return True

    def passes(self, frame: RequestFrame) -> bool:
        """Whether a request may go to its broker now."""
        play = self._plays.get(frame.transactional_id or "")
        if play is None or not play.has_ended or frame.api != Api.PRODUCE:
            return True
        if play.first_write is None:
            play.first_write = frame.correlation
            return True
        return False

    def answered(self, frame: RequestFrame) -> None:
        """Note the broker's answer to a request, before it goes to the client."""
        play = self._plays.get(frame.transactional_id or "")
        if play is None:
            return
        if frame.api == Api.END_TXN:
            play.has_ended = True
        elif frame.api == Api.PRODUCE and play.first_write == frame.correlation:
            play.may_go = True

    def may_go(self, transactional_id: str) -> bool:
        """Whether the held EndTxn of this id may go now."""
        return self._plays[transactional_id].may_go

    def gone(self, transactional_id: str) -> None:
        """Note that the held EndTxn was answered, or that the proxy gave up."""
        self.played += self._plays.pop(transactional_id).may_go


def bad_network(client: str, seed: int) -> tuple[FrameRules, LateCommits]:
    """Return the rules of a chaos run, for the clients with this part in their ids."""
    return FrameRules([replace(rule, client=client) for rule in _BAD_NETWORK], seed), LateCommits(0.03, seed)


def report(rules: FrameRules, late_commits: LateCommits) -> str:
    """Say which rules met which requests, and how often a commit was late."""
    met: dict[str, list[str]] = {}
    for (act, request), count in sorted(rules.met.items(), key=lambda item: -item[1]):
        met.setdefault(act, []).append(f"{count} {request}")
    lines = [f"{act}: {', '.join(requests)}" for act, requests in sorted(met.items())]
    return "\n".join([*lines, f"a late EndTxn in the middle of the next transaction: {late_commits.played} times"])
