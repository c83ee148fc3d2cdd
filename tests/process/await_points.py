"""One write of each kind, with a fault: the tests interrupt it at each of its await points."""

from schemas.commands import HandoffRequest

MOST_POINTS = 60
FAULTS = [
    None,
    {"do": "reset", "when": "after", "count": 1},
    {"do": "answer", "when": "after", "status": 503, "code": "unavailable", "count": 1},
    {"do": "answer", "when": "before", "status": 500, "code": "internal_error", "count": 3},
    {"do": "act", "actor": {"do": "edit"}, "count": 1},
]


async def send_operation(queue, close, operation, fault):
    """Send a command that creates or closes a handoff, and let the fault happen at its write; return its id."""
    handoff = None
    if operation == "close":
        first = queue.send(HandoffRequest())
        await queue.drain()
        handoff = queue.check(first).handoff_id
    queue.sim.faults.clear()
    if fault:
        queue.sim.fault(method="POST", path=f"{queue.authorization_id}/manual-handoffs", **fault)
    return queue.send(close(handoff) if handoff else HandoffRequest())
