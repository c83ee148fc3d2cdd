"""Calls to Collate: client, transport, proxy, error router and call budget.

Other packages use `CollateClient`. `answers` defines the results of a call, `errors` the next step after each result.
Nothing here knows commands, Kafka or HTTP callers.
"""
