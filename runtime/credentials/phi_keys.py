"""The keys of the PHI in `commands` and `dead-letters` (decision 0025)."""

from runtime.credentials.key_ring import KeyFileError, KeyRing
from runtime.settings import MOST_PHI_KEYS, TopicSettings


def phi_keys(settings: TopicSettings) -> KeyRing:
    """Return the keys. Raises KeyFileError."""
    if settings.phi_key_file is None:
        raise KeyFileError(["GATEWAY_TOPICS__PHI_KEY_FILE is not set"])
    return KeyRing(settings.phi_key_file, MOST_PHI_KEYS)
