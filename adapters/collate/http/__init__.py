"""HTTP/1.1 to Collate: the transport, its connections, the response reader and the outgoing proxy."""
