"""The keys of the PHI in a test's records."""

from local.phi_keys import new_keys

PHI_KEYS = new_keys()
