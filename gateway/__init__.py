"""The Collate handoff gateway."""

__version__ = "0.1.0"
