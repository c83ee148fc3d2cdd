"""The ingress: HTTP requests in, Kafka records out.

    HTTP server ─▶ middleware ─▶ authentication ─▶ route ─▶ command service ─▶ publisher ─▶ response
    limits of      id, log line,   keys, tokens     commands,  idempotency,     Kafka        202, 200
    the head       deadline, limits                 reads, …   waiting

`event_stream.tail` reads the events back, for waiting requests and for streams. The live calls go to Collate and not
through Kafka, except for their audit records. `components` builds all parts, `main` starts and stops them.
"""
