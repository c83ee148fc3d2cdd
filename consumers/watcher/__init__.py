"""Observations of watched authorizations: when (`cadence`) and what becomes of them (`watcher`)."""
