"""`gateway commands`: the list of commands."""
