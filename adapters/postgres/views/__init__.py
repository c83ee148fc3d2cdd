"""Reads of many rows: the work list, the list of commands, and the overview."""
