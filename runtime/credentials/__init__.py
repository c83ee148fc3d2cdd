"""When credentials end, read from tokens and certificates without verifying them."""
