"""The benchmark of the deliverer: webhooks out."""
