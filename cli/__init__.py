"""The command line `gateway`: one module per verb; `verbs.txt` is their table."""
