"""`gateway topics migrate`."""
