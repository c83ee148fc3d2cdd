"""The verbs `gateway audit export` and `gateway audit verify`."""
