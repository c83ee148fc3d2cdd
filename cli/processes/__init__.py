"""The verbs that start a process, and `migrate`: one module each, because each imports its process."""
