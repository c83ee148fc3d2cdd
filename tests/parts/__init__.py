"""Parts of other makers that stand beside the gateway: proxies and poolers."""
