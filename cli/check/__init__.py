"""`gateway check`: the verb, one module per service that it checks, and the results."""
