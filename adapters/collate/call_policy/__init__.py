"""The policy for calls to Collate: which call starts now, which waits for its turn, and which is deferred.

    an observation's timer ─▶ Slowdown: the next step, longer while observations of its class are deferred
         │ due
         ▼
    a call ─▶ its turn?  live, urgent, command, observation, idle; callers take turns ─ no ──▶ WaitingCall
         ─▶ breakers     401: the key, all calls · 403 of two authorizations · faults in a row · 429s in a row
         ─▶ Retry-After  of its own authorization                  each of these: no ──▶ Hold (not budget)
         ─▶ token        calls per second, less the reserved shares ─┐
         ─▶ slot         calls in flight; a live caller has half ────┴──── no ──▶ WaitingCall, or Hold if it is long
         ─▶ Ticket ─▶ the call ─▶ CallSignal, which moves the breakers and the throttle

A long wait is returned as a hold, so that it costs the caller a timer and not a waiting task. Live calls may use the
whole budget. If a live call came in the last minute, commands leave a share to live calls. Observations leave a further
share to commands, except for every tenth call, which may be an observation's. Urgent commands come before the others,
except for every ninth call of a command (decision 0022). In the same way observations of open handoffs come before the
others, which are *idle*: no person waits for them. So an observation of an open handoff is deferred, and its `Slowdown`
lengthens its steps, only if these alone exceed the budget. All of this is pure: `now` (monotonic seconds) is an
argument. `CallQueue` is its shell: it owns the clock, the timer and the waiting tasks.
"""
