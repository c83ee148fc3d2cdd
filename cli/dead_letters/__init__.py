"""`gateway dead-letters`: list, show, redrive and discard commands that could not be finished."""
