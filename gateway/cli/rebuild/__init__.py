"""`gateway topics rebuild-state`."""
