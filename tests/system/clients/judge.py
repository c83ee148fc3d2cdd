"""What must hold after commands and a stream under restarts, whichever client was used."""

from collections import Counter, defaultdict

from local.collate.model.effect import Kind


async def judge(listener, collate, authorizations, outcomes, streamed):
    """Compare the outcomes that the client returned, and the events that it streamed, with Kafka and Collate.

    `outcomes`: the JSON of each call. `streamed`: (authorization, sequence, type, missing) of each event.
    """
    for outcome in outcomes:
        await listener.wait_for("command.finished", 60, commandId=outcome["commandId"])
    await listener.take(2)
    effects = [effect for _, effect in collate.ledger.effects if effect.kind is Kind.HANDOFF_OPENED]
    assert Counter(effect.authorization_id for effect in effects) == Counter(authorizations), "one handoff each"
    assert Counter(one["authorizationId"] for one in outcomes) == Counter(authorizations), "one outcome each"
    assert {one["outcome"] for one in outcomes} == {"applied"}
    finished = Counter(event.data["commandId"] for event in listener.events if event.kind == "command.finished")
    assert finished == Counter(one["commandId"] for one in outcomes), "no command is lost or doubled"

    numbers = defaultdict(list)
    for authorization, sequence, _kind, _missing in streamed:
        numbers[authorization].append(sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values()), numbers
    assert [one for one in streamed if one[3]] == [], "no event is missing"
    published = {(event.authorization_id, event.sequence) for event in listener.events}
    ours = {(authorization, sequence) for authorization, sequence, _kind, _missing in streamed}
    assert ours <= published
    wanted = {(event.authorization_id, event.sequence) for event in listener.events if event.kind == "command.finished"}
    assert wanted <= ours, "the stream has every outcome"
