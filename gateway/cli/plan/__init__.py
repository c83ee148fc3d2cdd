"""`gateway plan`: the size of an installation for a given load."""
