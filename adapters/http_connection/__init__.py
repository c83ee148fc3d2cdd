"""HTTP/1.1 on one connection, for the calls to Collate and to webhook receivers."""
