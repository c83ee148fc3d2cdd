"""The verbs that list: `gateway commands` and `gateway work`, and what every list has in common."""
