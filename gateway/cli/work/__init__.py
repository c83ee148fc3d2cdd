"""`gateway work`: the work list of people who do handoffs."""
