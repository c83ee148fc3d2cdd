"""`gateway deliverer`: starts the process; its verbs test, resume, redrive and list dead letters."""
