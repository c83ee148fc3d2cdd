"""The engine beside its floors."""
