"""The simulated Collate: a standalone HTTP server that behaves as collate-api.md says, with faults and a ledger.

Imports nothing of ours, so that it can't share a mistake with what it checks. README.md shows how to drive it.
"""

from local.collate.http.server import SimulatedCollate
from local.collate.profile import Profile, named
from local.collate.simulation import DEFAULT_KEY, DEFAULT_ORGANIZATION, Options

__all__ = ["DEFAULT_KEY", "DEFAULT_ORGANIZATION", "Options", "Profile", "SimulatedCollate", "named"]
