"""The simulated Collate: an HTTP server that follows docs/collate-contract.md, with faults and a ledger.

It imports nothing of the gateway, so it cannot share the gateway's mistakes. README.md describes its control API.
"""

from local.collate.profile import Profile, named
from local.collate.simulation import DEFAULT_KEY, DEFAULT_ORGANIZATION, Options
from local.collate.web.server import SimulatedCollate

__all__ = ["DEFAULT_KEY", "DEFAULT_ORGANIZATION", "Options", "Profile", "SimulatedCollate", "named"]
