"""HTTP in, Kafka out.

    server ─▶ edge ─▶ verification ─▶ app ─▶ authentication ─▶ commands ─▶ keeping ─▶ publisher ─▶ answers
    bounds    id,      tokens (jwks),  the    callers,          strict_json,  idempotency,  kafka     202, 200
    of the    deadline, signatures     route  rates             preferences   waiting
    head      log line

What happens comes back by `tail`, to who waits (`waiting`) and who streams (`stream`). `live_calls` never cross Kafka,
but their `audit` does. Whatever goes wrong is one of `problems`. `main` puts everything together.
"""
