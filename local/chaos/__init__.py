"""Load and faults for a private installation: callers over HTTP, and seeded faults. Nothing here runs in production."""
