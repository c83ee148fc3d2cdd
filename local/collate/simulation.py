"""The whole simulated Collate without its sockets: the parts, put together from the options it was started with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local.collate.calls.api import Api
from local.collate.calls.keys import Keys
from local.collate.clock import Clock
from local.collate.faults.fault_gate import Gate
from local.collate.faults.rules import Faults
from local.collate.ledger import Ledger
from local.collate.model import actors
from local.collate.model.creation import Wanted
from local.collate.model.state import World
from local.collate.profile import Profile, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local.collate.faults.fault_gate import Exchange
    from local.collate.faults.rules import Rule
    from local.collate.http.message import Request
    from local.collate.http.refusal import Refusal

DEFAULT_KEY = "local-collate-key"
DEFAULT_ORGANIZATION = "org_local"


@dataclass(frozen=True, slots=True)
class Options:
    """How a simulated Collate starts, and what a reset goes back to."""

    profile: Profile = field(default_factory=Profile)
    keys: Mapping[str, str] = field(default_factory=lambda: {DEFAULT_KEY: DEFAULT_ORGANIZATION})
    latency_seconds: float = 0.0
    ledger_limit: int = 200_000
    keys_limit: int = 500_000
    seed: int | None = None


class Simulation:
    """The parts, and the few verbs that tests and the control API share."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.base_url = ""
        self.reset()

    def reset(self) -> None:
        """Go back to the start: an empty world, no faults, real time, the options' profile and keys."""
        options = self.options
        self.clock = Clock()
        self.ledger = Ledger(options.ledger_limit)
        self.faults = Faults()
        self.world = World(options.profile, self.ledger.record, options.seed)
        self.api = Api(self.world, Keys(options.keys_limit), dict(options.keys))
        self.gate = Gate(self.api, self.clock, self.ledger, self.faults, options.latency_seconds)
        self.set_base_url(self.base_url)

    def set_base_url(self, base_url: str) -> None:
        """Say where grant links lead."""
        self.base_url = self.api.writes.base_url = base_url

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Take up a public request."""
        self.gate.handle(request, exchange)

    def now(self) -> float:
        """World time, with everything that is due by it done."""
        now = self.clock.now()
        self.world.catch_up(now)
        return now

    def advance(self, seconds: float) -> float:
        """Move the world forward and let everything happen that falls due."""
        self.clock.advance(seconds)
        return self.now()

    def use(self, *names: str, **readings: Any) -> Profile:
        """Change to named profiles and single readings; raises ValueError for unknown ones."""
        self.world.profile = named(names, readings)
        return self.world.profile

    def change(self, **readings: Any) -> Profile:
        """Change single readings of the profile in force."""
        self.world.profile = self.world.profile.with_readings(readings)
        return self.world.profile

    def create(self, state: str = "complete_payer_interaction", **wanted: Any) -> list[str]:
        """Make authorizations (fields of `creation.Wanted`) and return their ids."""
        organization = next(iter(self.api.organizations.values()), DEFAULT_ORGANIZATION)
        return self.create_wanted(replace(Wanted(organization), state=state, **wanted))

    def create_wanted(self, wanted: Wanted) -> list[str]:
        """Make the authorizations that are wanted and return their ids."""
        return actors.create(self.world, wanted, self.now())

    def act(self, authorization_id: str, do: str, **doing: Any) -> Refusal | None:
        """Let another actor do something; None if it was done."""
        return actors.act(self.world, authorization_id, actors.checked({"do": do, **doing}), self.now())

    def fault(self, do: str, **wanted: Any) -> Rule:
        """Add a fault rule in its JSON form; raises ValueError if it makes no sense."""
        return self.faults.add({"do": do, **wanted}, self.clock.now())

    def revoke_keys(self, tokens: Iterable[str] | None = None) -> None:
        """Make API keys invalid, all of them by default."""
        for token in list(self.api.organizations if tokens is None else tokens):
            self.api.organizations.pop(token, None)
