"""The simulated Collate's state: authorizations, grants and due transitions. Synchronous; time is an argument.

`_put` makes each change and records it in the ledger. Invariants: versions never decrease; at most one handoff of an
authorization is not closed.
"""

import heapq
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from random import Random

from local.collate.model import lifecycle
from local.collate.model.authorization import Authorization, Handoff, HandoffState, Report, Result, Truth
from local.collate.model.effect import COLLATE, Cause, Effect, Kind, Step
from local.collate.profile import Profile
from local.collate.web.refusal import (
    ACCESS_NOT_AVAILABLE,
    GRANT_EXPIRED,
    GRANT_NOT_FOUND,
    GRANT_REVOKED,
    HANDOFF_NOT_ACTIVE,
    SESSION_LOST,
    Refusal,
)

_PAST_KEPT = 32


@dataclass(frozen=True, slots=True)
class Grant:
    """A link into a live session."""

    id: str
    authorization_id: str
    handoff_id: str
    expires_at: float


class CollateState:
    """All authorizations of all organizations."""

    def __init__(self, profile: Profile, record: Callable[[Effect], None], seed: int | None = None) -> None:
        self.profile = profile
        self.authorizations: dict[str, Authorization] = {}
        self.grants: dict[str, Grant] = {}
        self.record = record
        self._past: dict[str, deque[tuple[float, Authorization]]] = {}
        self._due: list[tuple[float, int, str]] = []
        self._tie = count()
        self._ids = count(1)
        # Ids differ between runs of the server, so that a topic that outlives one run has no ambiguous handoffs.
        self._run = secrets.token_hex(3) if seed is None else f"{seed:06x}"
        self._random = Random(seed)

    def new_id(self, prefix: str) -> str:
        """Return a new id such as `mhand_1f00a200007`."""
        return f"{prefix}_{self._run}{next(self._ids):05d}"

    def visible(self, authorization_id: str, organization: str) -> Authorization | None:
        """Return the authorization if it belongs to the organization (docs/collate-contract.md §1, tenancy)."""
        authorization = self.authorizations.get(authorization_id)
        return authorization if authorization and authorization.case.organization == organization else None

    def as_read(self, authorization: Authorization, now: float) -> Authorization:
        """Return the state for a read: the current one, or sometimes a past one with stale_replicas."""
        if self.profile.stale_probability and self._random.random() < self.profile.stale_probability:
            cut = now - self.profile.stale_seconds
            past = self._past.get(authorization.id, ())
            return next((old for replaced_at, old in past if replaced_at > cut), authorization)
        return authorization

    def add(self, authorization: Authorization, cause: Cause) -> Authorization:
        """Add a new authorization."""
        created = Effect(
            Kind.AUTHORIZATION_CREATED, authorization.updated_at, authorization.id, authorization.version, cause
        )
        return self._put(Step(authorization, (created,)), authorization.updated_at)

    def catch_up(self, now: float) -> None:
        """Run all transitions that are due by `now`, in order of time."""
        while self._due and self._due[0][0] <= now:
            at, _, authorization_id = heapq.heappop(self._due)
            authorization = self.authorizations.get(authorization_id)
            if authorization is None or (due_at := authorization.due_at) is None or due_at > at:
                continue
            if step := lifecycle.run_due(authorization, self._at(COLLATE, at)):
                self._put(step, at)

    def open_handoff(self, authorization: Authorization, cause: Cause, now: float) -> Authorization:
        """Open a handoff. It replaces an active one (only with the profile `create_while_active=replace`)."""
        if (active := authorization.open_handoff) is not None:
            action, status = authorization.action, authorization.status
            authorization = self.end_handoff(authorization, active, Result.REVOKED, cause, now)
            authorization = replace(authorization, action=action, status=status, finds_at=None)
        return self._put(lifecycle.open_handoff(authorization, self._at(cause, now)), now)

    def close_handoff(
        self, authorization: Authorization, handoff: Handoff, report: Report, cause: Cause, now: float
    ) -> Authorization:
        """Close a handoff with a report."""
        return self._put(lifecycle.close_handoff(authorization, handoff, report, self._at(cause, now)), now)

    def end_handoff(
        self, authorization: Authorization, handoff: Handoff, result: Result, cause: Cause, now: float
    ) -> Authorization:
        """End a handoff without a report."""
        return self._put(lifecycle.end_handoff(authorization, handoff, result, self._at(cause, now)), now)

    def conclude(self, authorization: Authorization, cause: Cause, now: float) -> Authorization:
        """Reconcile with the payer now."""
        return self._put(lifecycle.conclude(authorization, self._at(cause, now)), now)

    def confirm(self, authorization: Authorization, cause: Cause, now: float) -> Authorization:
        """Confirm, and start Collate's automation."""
        return self._put(lifecycle.confirm(authorization, self._at(cause, now)), now)

    def cancel(self, authorization: Authorization, cause: Cause, now: float) -> Authorization:
        """Cancel an authorization and its handoff."""
        return self._put(lifecycle.cancel(authorization, self._at(cause, now)), now)

    def edit(self, authorization: Authorization, cause: Cause, now: float, *, fresh_snapshot: bool) -> Authorization:
        """Increase the version, as another client's write does."""
        return self._put(lifecycle.edit(authorization, self._at(cause, now), fresh_snapshot=fresh_snapshot), now)

    def replace_silently(self, authorization: Authorization, now: float) -> Authorization:
        """Replace an authorization without an effect in the ledger (truth, access)."""
        return self._put(Step(authorization, ()), now)

    def mint(self, authorization: Authorization, handoff: Handoff, cause: Cause, now: float) -> Grant | Refusal:
        """Mint a grant for an active handoff (docs/collate-contract.md §5.3, §6)."""
        if handoff.state is not HandoffState.ACTIVE:
            return HANDOFF_NOT_ACTIVE
        if not handoff.access_available:
            return ACCESS_NOT_AVAILABLE
        grant = Grant(f"rag_{secrets.token_hex(12)}", authorization.id, handoff.id, now + self.profile.grant_seconds)
        self.grants[grant.id] = grant
        extended = lifecycle.extended_by_grant(authorization, handoff, grant.expires_at, self.profile)
        details = {"grant_id": grant.id, "expires_at": grant.expires_at}
        minted = Effect(Kind.GRANT_MINTED, now, authorization.id, authorization.version, cause, handoff.id, details)
        self._put(Step(extended, (minted,)), now)
        return grant

    def valid_grant(self, grant_id: str, now: float) -> Grant | Refusal:
        """Return the grant if its link is valid, else the refusal (docs/collate-contract.md §6, opening failures)."""
        grant = self.grants.get(grant_id)
        if grant is None:
            return GRANT_NOT_FOUND
        handoff = self.handoff_of(grant)
        if handoff.result is Result.INTERACTION_LOST:
            return SESSION_LOST
        if handoff.state is not HandoffState.ACTIVE:
            return GRANT_REVOKED
        return GRANT_EXPIRED if grant.expires_at <= now else grant

    def open_grant(self, grant_id: str, now: float) -> Grant | Refusal:
        """Open the session behind a grant's link."""
        grant = self.valid_grant(grant_id, now)
        if not isinstance(grant, Refusal):
            self._note(Kind.GRANT_OPENED, grant, now)
        return grant

    def work(self, grant: Grant, truth: Truth, now: float) -> None:
        """Act as the human in the payer session: change the payer's truth, not the authorization."""
        self.replace_silently(replace(self.authorizations[grant.authorization_id], truth=truth), now)
        self._note(Kind.PORTAL_WORKED, grant, now, truth=truth)

    def handoff_of(self, grant: Grant) -> Handoff:
        """Return the handoff of a grant."""
        handoff = self.authorizations[grant.authorization_id].handoff(grant.handoff_id)
        if handoff is None:
            raise LookupError("a grant has no handoff, but lifecycle.py never removes one")
        return handoff

    def _at(self, cause: Cause, now: float) -> lifecycle.Moment:
        return lifecycle.Moment(now, cause, self.profile, self.new_id)

    def _note(self, kind: Kind, grant: Grant, now: float, **details: object) -> None:
        version = self.authorizations[grant.authorization_id].version
        details["grant_id"] = grant.id
        self.record(Effect(kind, now, grant.authorization_id, version, Cause("human"), grant.handoff_id, details))

    def _put(self, step: Step, now: float) -> Authorization:
        authorization = step.authorization
        before = self.authorizations.get(authorization.id)
        self.authorizations[authorization.id] = authorization
        due_at = authorization.due_at
        # A transition that is due now may have lost its queue entry when the previous one was popped.
        if due_at is not None and (before is None or before.due_at != due_at or due_at <= now):
            heapq.heappush(self._due, (due_at, next(self._tie), authorization.id))
        if before is not None and self.profile.stale_probability:
            self._past.setdefault(authorization.id, deque(maxlen=_PAST_KEPT)).append((now, before))
        for effect in step.effects:
            self.record(effect)
        return authorization
