"""Numbers about handoffs, counted from the events of a commit."""
