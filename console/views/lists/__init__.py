"""The lists: what needs a person, and commands."""
