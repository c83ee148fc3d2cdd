"""The floors: minimal programs that do a comparable job without our promises."""
