"""A new key for the PHI of records that a test or a bench writes itself."""

from joserfc.jwk import KeySet, OctKey

from runtime.credentials.key_ring import FixedKeys


def new_keys() -> FixedKeys:
    """Return a ring of one random key."""
    return FixedKeys(KeySet([OctKey.generate_key(256)]))
