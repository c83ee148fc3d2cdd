"""The simulated Collate without its sockets, made from its options."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local.collate.calls.api import Api
from local.collate.calls.keys import Keys
from local.collate.clock import Clock
from local.collate.faults.fault_gate import FaultGate
from local.collate.faults.rules import FaultRules, Rule
from local.collate.ledger import Ledger
from local.collate.model import actors
from local.collate.model.creation import AuthorizationSpec
from local.collate.model.state import CollateState
from local.collate.profile import Profile, named
from local.collate.web.connection import Exchange
from local.collate.web.message import Request
from local.collate.web.refusal import Refusal

DEFAULT_KEY = "local-collate-key"
DEFAULT_ORGANIZATION = "org_local"


@dataclass(frozen=True, slots=True)
class Options:
    """The options at the start."""

    profile: Profile = field(default_factory=Profile)
    keys: Mapping[str, str] = field(default_factory=lambda: {DEFAULT_KEY: DEFAULT_ORGANIZATION})
    latency_seconds: float = 0.0
    seed: int | None = None


class Simulation:
    """The parts of the simulated Collate, and the operations for tests and the control API."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = Clock()
        self.ledger = Ledger()
        self.faults = FaultRules()
        self.state = CollateState(options.profile, self.ledger.record, options.seed)
        self.api = Api(self.state, Keys(), dict(options.keys))
        self.gate = FaultGate(self.api, self.clock, self.ledger, self.faults, options.latency_seconds)

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Handle a public request."""
        self.gate.handle(request, exchange)

    def now(self) -> float:
        """Return the simulated time, after all due transitions."""
        now = self.clock.now()
        self.state.catch_up(now)
        return now

    def advance(self, seconds: float) -> float:
        """Move the time forward, run all due transitions, and return the new time."""
        self.clock.advance(seconds)
        return self.now()

    def use(self, *names: str, **readings: Any) -> Profile:
        """Set the profile from named profiles and single readings.

        Raises ValueError if a name or reading is unknown.
        """
        self.state.profile = named(names, readings)
        return self.state.profile

    def change(self, **readings: Any) -> Profile:
        """Change single readings of the current profile."""
        self.state.profile = self.state.profile.with_readings(readings)
        return self.state.profile

    def create(self, state: str = "complete_payer_interaction", **fields: Any) -> list[str]:
        """Create authorizations (with the fields of `AuthorizationSpec`) and return their ids."""
        organization = next(iter(self.api.organizations.values()), DEFAULT_ORGANIZATION)
        return self.create_from(replace(AuthorizationSpec(organization), state=state, **fields))

    def create_from(self, wanted: AuthorizationSpec) -> list[str]:
        """Create the specified authorizations and return their ids."""
        return actors.create(self.state, wanted, self.now())

    def act(self, authorization_id: str, do: str, **fields: Any) -> Refusal | None:
        """Let another actor act. Return None, or the refusal if the rules forbid it."""
        return actors.act(self.state, authorization_id, actors.validated({"do": do, **fields}), self.now())

    def fault(self, do: str, **fields: Any) -> Rule:
        """Add a fault rule in its JSON form. Raises ValueError if the rule is invalid."""
        return self.faults.add({"do": do, **fields}, self.clock.now())

    def revoke_keys(self, tokens: Iterable[str] | None = None) -> None:
        """Revoke API keys; default: all of them."""
        for token in list(self.api.organizations if tokens is None else tokens):
            self.api.organizations.pop(token, None)
