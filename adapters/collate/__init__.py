"""Calls to Collate: client, transport, proxy, error router and call budget.

Other packages use `CollateClient`. `answers` defines the results of a call, `errors` what to do about each result.
Nothing here knows commands, Kafka or HTTP callers.
"""
