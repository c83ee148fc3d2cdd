"""Settings of a private installation under faults: shorter timeouts than in production, so more happens."""

from typing import Final

# The profiles in which Collate honours the key or If-Match: promise 2 holds for these.
PROFILES: Final = ("v2", "v3", "stores_errors", "forgets_keys", "fingerprints_if_match", "stale_replicas")
# Without automatic expiry after 15 minutes, a long run can end. Another actor lets some handoffs expire.
READINGS: Final = {"decision_seconds": None, "abandonment_seconds": None}
SESSION_SECONDS: Final = 6.0
# A killed broker may register again, and is replaced by another, when its session has ended: after 9 s by default.
BROKERS: Final = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
TIMEOUTS: Final = {
    "GATEWAY_COLLATE__CONNECT_TIMEOUT": "1s",
    "GATEWAY_COLLATE__READ_TIMEOUT": "2s",
    "GATEWAY_COLLATE__TOTAL_TIMEOUT": "4s",
    "GATEWAY_COLLATE__BREAKER_OPEN": "1s",
    "GATEWAY_COLLATE__RAMP_UP": "3s",
    "GATEWAY_WORKER__SESSION_TIMEOUT": f"{SESSION_SECONDS:.0f}s",
}
CADENCE: Final = {
    "GATEWAY_WORKER__WAITING_AFTER": "3s",
    # Other actors cause many unknown outcomes here. In production so many would mean a bad deploy.
    "GATEWAY_WORKER__DEAD_LETTER_SHARE": "1.0",
    "GATEWAY_WATCH__ENDED": "1s until 20s,5s",
    "GATEWAY_WATCH__OPEN": "2s until 30s,10s",
    "GATEWAY_WATCH__PROCESSING": "2s until 30s,10s",
    "GATEWAY_WATCH__ACTION": "3s until 30s,15s",
    "GATEWAY_WATCH__PAYER": "3s until 30s,15s",
    # A delayed read stays delayed after the faults, but a run ends soon after them.
    "GATEWAY_WATCH__MAX_SLOWDOWN": "2",
}
SETTINGS: Final = TIMEOUTS | CADENCE
