"""What must hold after commands that each open a handoff, whatever has happened meanwhile."""

from collections import Counter, defaultdict

from local.collate.model.effect import Kind


async def assert_each_is_applied_once(listener, collate, authorizations, commands):
    """Wait for the ends of the commands: one handoff and one outcome each, and numbers without gaps."""
    for command in commands:
        await listener.wait_for("command.finished", 60, commandId=command)
    await listener.take(2)
    effects = [effect for _, effect in collate.ledger.effects if effect.kind is Kind.HANDOFF_OPENED]
    assert Counter(effect.authorization_id for effect in effects) == Counter(authorizations), "one handoff each"
    finished = [event for event in listener.events if event.kind == "command.finished"]
    assert Counter(event.data["commandId"] for event in finished) == Counter(commands), "no command is lost or doubled"
    assert {event.data["outcome"] for event in finished} == {"applied"}
    sequences = defaultdict(list)
    for event in listener.events:
        sequences[event.authorization_id].append(event.sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in sequences.values()), sequences
