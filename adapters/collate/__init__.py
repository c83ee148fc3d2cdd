"""The third party, Collate: transport, client, idempotency keys, preconditions, error router, call budget.

`CollateClient` is what others use. What it returns stands in `answers`, what to do about it in `errors`. Nothing here
knows of commands, Kafka or HTTP callers.
"""
